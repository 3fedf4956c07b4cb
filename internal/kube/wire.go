package kube

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of the service metadata.Metadata of k8s-metacollector (plugins-k8s.md §5.3), by the numbers of their fields:
//
//	Selector   1 nodeName, 2 resourceKinds (map of texts)
//	Event      1 reason, 2 uid, 3 kind, 4 meta, 5 spec, 6 status (JSON texts), 7 refs
//	References 1 resources (map of text to ListOfStrings), ListOfStrings 1 list
type selector struct {
	node  string
	kinds []string
}

// message is an Event.
type message struct {
	reason, uid, kind  string
	meta, spec, status string
	refs               map[string][]string
}

// codec encodes and decodes these messages for gRPC.
type codec struct{}

// Name is what the content type says.
func (codec) Name() string { return "proto" }

// Marshal implements encoding.Codec.
func (codec) Marshal(v any) ([]byte, error) {
	s, ok := v.(*selector)
	if !ok {
		return nil, fmt.Errorf("encoding a message of the metacollector: %T is none that is sent", v)
	}
	b := appendText(nil, 1, s.node)
	for _, k := range s.kinds {
		b = protowire.AppendBytes(protowire.AppendTag(b, 2, protowire.BytesType), appendText(appendText(nil, 1, k), 2, "true"))
	}
	return b, nil
}

func appendText(b []byte, n protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

// Unmarshal implements encoding.Codec.
func (codec) Unmarshal(data []byte, v any) error {
	m, ok := v.(*message)
	if !ok {
		return fmt.Errorf("decoding a message of the metacollector: %T is none that is received", v)
	}
	*m = message{}
	return fields(data, func(n protowire.Number, b []byte) error {
		switch n {
		case 1:
			m.reason = string(b)
		case 2:
			m.uid = string(b)
		case 3:
			m.kind = string(b)
		case 4:
			m.meta = string(b)
		case 5:
			m.spec = string(b)
		case 6:
			m.status = string(b)
		case 7:
			return fields(b, func(n protowire.Number, b []byte) error {
				if n != 1 {
					return nil
				}
				return m.addRefs(b)
			})
		}
		return nil
	})
}

// addRefs reads an entry of the map of references.
func (m *message) addRefs(entry []byte) error {
	kind := ""
	var uids []string
	err := fields(entry, func(n protowire.Number, b []byte) error {
		switch n {
		case 1:
			kind = string(b)
		case 2:
			return fields(b, func(n protowire.Number, b []byte) error {
				if n == 1 && len(uids) < maxPerPod {
					uids = append(uids, string(b))
				}
				return nil
			})
		}
		return nil
	})
	if m.refs == nil {
		m.refs = map[string][]string{}
	}
	m.refs[kind] = uids
	return err
}

// fields calls f for each field of a message that holds bytes.
func fields(data []byte, f func(protowire.Number, []byte) error) error {
	for len(data) > 0 {
		n, kind, size := protowire.ConsumeTag(data)
		if size < 0 {
			return fmt.Errorf("decoding a message of the metacollector: %w", protowire.ParseError(size))
		}
		data = data[size:]
		if kind != protowire.BytesType {
			if size = protowire.ConsumeFieldValue(n, kind, data); size < 0 {
				return fmt.Errorf("decoding a message of the metacollector: %w", protowire.ParseError(size))
			}
			data = data[size:]
			continue
		}
		b, size := protowire.ConsumeBytes(data)
		if size < 0 {
			return fmt.Errorf("decoding a message of the metacollector: %w", protowire.ParseError(size))
		}
		data = data[size:]
		if err := f(n, b); err != nil {
			return err
		}
	}
	return nil
}

// errReason says that a message is of no kind that is known.
var errReason = errors.New("the reason of an event is none of Create, Update and Delete")
