package capture

import "encoding/binary"

// appendText appends s with its length (u16) before it, cut to limit bytes.
func appendText(b []byte, s string, limit int) []byte {
	s = s[:min(len(s), limit)]
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(s))), s...)
}

// appendTexts appends the strings of list, each closed by a NUL, with the length of all (u16) before them. Strings that
// would make it longer than limit bytes are left out.
func appendTexts(b []byte, list []string, limit int) []byte {
	start := len(b)
	b = append(b, 0, 0)
	for _, s := range list {
		if len(b)-start-2+len(s)+1 > limit {
			break
		}
		b = append(append(b, s...), 0)
	}
	binary.LittleEndian.PutUint16(b[start:], uint16(len(b)-start-2))
	return b
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}
