package stan

import (
	"encoding/binary"
	"errors"
)

// message are the fields of a message of NATS Streaming, whose encoding is that of Protocol Buffers. The few messages that a
// publisher needs have nothing but texts, and numbers that need not be read.
type message []byte

// text returns the message with a text or bytes in a field; an empty one is left out.
func (m message) text(field int, value string) message {
	if value == "" {
		return m
	}
	m = binary.AppendUvarint(m, uint64(field)<<3|lengthDelimited)
	m = binary.AppendUvarint(m, uint64(len(value)))
	return append(m, value...)
}

// number returns the message with a number in a field.
func (m message) number(field int, value uint64) message {
	m = binary.AppendUvarint(m, uint64(field)<<3|varint)
	return binary.AppendUvarint(m, value)
}

// Kinds of fields (https://protobuf.dev/programming-guides/encoding/).
const (
	varint          = 0
	lengthDelimited = 2
)

var errMessage = errors.New("the server's message is none of NATS Streaming")

// fields returns the texts of a message, by their fields, and the numbers.
func (m message) fields() (texts map[int]string, numbers map[int]uint64, err error) {
	texts, numbers = map[int]string{}, map[int]uint64{}
	for len(m) > 0 {
		tag, n := binary.Uvarint(m)
		if n <= 0 {
			return nil, nil, errMessage
		}
		value, more := binary.Uvarint(m[n:])
		if more <= 0 {
			return nil, nil, errMessage
		}
		m = m[n+more:]
		switch tag & 7 {
		case varint:
			numbers[int(tag>>3)] = value
		case lengthDelimited:
			if value > uint64(len(m)) {
				return nil, nil, errMessage
			}
			texts[int(tag>>3)] = string(m[:value])
			m = m[value:]
		default:
			return nil, nil, errMessage
		}
	}
	return texts, numbers, nil
}
