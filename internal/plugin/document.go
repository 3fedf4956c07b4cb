package plugin

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/saker-sec/saker/internal/event"
)

// Bounds of a JSON document. One that exceeds them is none.
const (
	maxDepth = 300     // values within values, as in Falco's plugin
	maxNodes = 1 << 20 // values and keys; a document of 256 KiB, which is what plugins send at most, has fewer
)

// document is the JSON in the event of a plugin: where each value begins and ends, found once for each event. It is read as
// Falco's plugin reads it: what stands in texts and numbers is not checked further than is needed to find their ends.
type document struct {
	src   []byte
	nodes []node // in the order in which the values stand; the first is the whole
	key   []byte // an unescaped key

	// What the index is of, so that all fields of an event share it.
	num, time uint64
	source    uint16
	at        *byte
	ok        bool
}

// node is a value, or a key of an object, which stands before its value.
type node struct {
	start, end uint32 // in src, with quotes and brackets
	next       uint32 // index of the node behind the value and all that is in it
}

// step is one reference token of a JSON pointer (RFC 6901).
type step struct {
	key   string
	index int // of an item; -1 when the token is not a number
}

// load makes d the JSON that an event carries. It reports false for events that are not a plugin's and for a payload that is
// not a JSON object or array.
func (d *document) load(e *event.Event) bool {
	if e.Code != event.PlugineventE {
		return false
	}
	src := e.Param(1)
	if len(src) == 0 || src[0] != '{' && src[0] != '[' {
		return false
	}
	if e.Num != 0 && d.num == e.Num && d.time == e.Time && d.source == e.Source && d.at == &src[0] && len(d.src) == len(src) {
		return d.ok
	}
	d.num, d.time, d.source, d.at = e.Num, e.Time, e.Source, &src[0]
	d.ok = d.parse(src)
	return d.ok
}

// parse finds the values of a text.
func (d *document) parse(src []byte) bool {
	d.src, d.nodes = src, d.nodes[:0]
	end, ok := d.value(space(src, 0), 1)
	return ok && space(src, end) == len(src)
}

// space returns the position of the first byte from at on that is no white space.
func space(src []byte, at int) int {
	for at < len(src) && (src[at] == ' ' || src[at] == '\n' || src[at] == '\t' || src[at] == '\r') {
		at++
	}
	return at
}

// value adds the value that begins at a position and returns where it ends.
func (d *document) value(at, depth int) (end int, ok bool) {
	if at >= len(d.src) || depth > maxDepth || len(d.nodes) >= maxNodes {
		return 0, false
	}
	i := len(d.nodes)
	d.nodes = append(d.nodes, node{start: uint32(at)})
	switch d.src[at] {
	case '{':
		end, ok = d.object(at+1, depth+1)
	case '[':
		end, ok = d.array(at+1, depth+1)
	case '"':
		end, ok = stringEnd(d.src, at)
	case 't':
		end, ok = at+4, bytes.HasPrefix(d.src[at:], []byte("true"))
	case 'f':
		end, ok = at+5, bytes.HasPrefix(d.src[at:], []byte("false"))
	case 'n':
		if end, ok = at+4, bytes.HasPrefix(d.src[at:], []byte("null")); !ok {
			end, ok = numberEnd(d.src, at)
		}
	default:
		end, ok = numberEnd(d.src, at)
	}
	d.nodes[i].end, d.nodes[i].next = uint32(end), uint32(len(d.nodes))
	return end, ok
}

// object adds the keys and values of an object, from behind its bracket on.
func (d *document) object(at, depth int) (int, bool) {
	if at = space(d.src, at); at < len(d.src) && d.src[at] == '}' {
		return at + 1, true
	}
	for {
		at = space(d.src, at)
		if at >= len(d.src) || d.src[at] != '"' || len(d.nodes) >= maxNodes {
			return 0, false
		}
		end, ok := stringEnd(d.src, at)
		if !ok {
			return 0, false
		}
		d.nodes = append(d.nodes, node{uint32(at), uint32(end), uint32(len(d.nodes) + 1)})
		if at = space(d.src, end); at >= len(d.src) || d.src[at] != ':' {
			return 0, false
		}
		if at, ok = d.value(space(d.src, at+1), depth); !ok {
			return 0, false
		}
		if at = space(d.src, at); at >= len(d.src) {
			return 0, false
		}
		switch d.src[at] {
		case '}':
			return at + 1, true
		case ',':
			at++
		default:
			return 0, false
		}
	}
}

// array adds the items of an array, from behind its bracket on.
func (d *document) array(at, depth int) (int, bool) {
	if at = space(d.src, at); at < len(d.src) && d.src[at] == ']' {
		return at + 1, true
	}
	for {
		end, ok := d.value(space(d.src, at), depth)
		if !ok {
			return 0, false
		}
		if at = space(d.src, end); at >= len(d.src) {
			return 0, false
		}
		switch d.src[at] {
		case ']':
			return at + 1, true
		case ',':
			at++
		default:
			return 0, false
		}
	}
}

// stringEnd returns where the text that begins with the quote at a position ends.
func stringEnd(src []byte, at int) (int, bool) {
	for i := at + 1; i < len(src); i++ {
		switch src[i] {
		case '"':
			return i + 1, true
		case '\\':
			i++
		}
	}
	return 0, false
}

// numberEnd returns where a number ends. Infinities and NaN are numbers.
func numberEnd(src []byte, at int) (int, bool) {
	i := at
	for i < len(src) && (src[i] >= '0' && src[i] <= '9' || src[i] == '.' || src[i] == '-' || src[i] == '+' || src[i] == 'e' || src[i] == 'E') {
		i++
	}
	if i == at || i == at+1 && (src[at] == '-' || src[at] == '+') {
		word := src[i:min(len(src), i+3)]
		if bytes.EqualFold(word, []byte("inf")) || bytes.EqualFold(word, []byte("nan")) {
			return i + 3, true
		}
		return 0, false
	}
	return i, true
}

// find returns the value that a pointer leads to. Of equal keys the first counts.
func (d *document) find(pointer []step) (node, bool) {
	i, ok := d.seek(pointer)
	if !ok {
		return node{}, false
	}
	return d.nodes[i], true
}

// seek is find for the index of the value.
func (d *document) seek(pointer []step) (uint32, bool) {
	i := uint32(0)
	for _, s := range pointer {
		parent := d.nodes[i]
		at, found := i+1, false
		switch d.src[parent.start] {
		case '{':
			for at < parent.next && !found {
				if found = d.keyIs(d.nodes[at], s.key); !found {
					at = d.nodes[at+1].next
				}
			}
			at++
		case '[':
			for n := 0; s.index >= 0 && at < parent.next && !found; n++ {
				if found = n == s.index; !found {
					at = d.nodes[at].next
				}
			}
		}
		if !found {
			return 0, false
		}
		i = at
	}
	return i, true
}

func (d *document) keyIs(n node, key string) bool {
	raw := d.src[n.start+1 : n.end-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw) == key
	}
	d.key = unescape(d.key[:0], raw)
	return string(d.key) == key
}

// text returns a value as the fields give it: what a text says, and of all else the JSON without white space. It lies in the
// document or in buf, which is returned for the next use.
func (d *document) text(n node, buf []byte) (value string, scratch []byte) {
	raw := d.src[n.start:n.end]
	switch raw[0] {
	case '"':
		if raw = raw[1 : len(raw)-1]; bytes.IndexByte(raw, '\\') >= 0 {
			buf = unescape(buf[:0], raw)
			raw = buf
		}
	case '{', '[':
		buf = compact(buf[:0], raw)
		raw = buf
	}
	return event.View(raw), buf
}

// compact appends JSON without the white space between its parts.
func compact(dst, src []byte) []byte {
	for i := 0; i < len(src); i++ {
		switch c := src[i]; c {
		case ' ', '\n', '\t', '\r':
		case '"':
			end, _ := stringEnd(src, i)
			dst = append(dst, src[i:end]...)
			i = end - 1
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// unescape appends what a text says that stands between quotes. An escape that means nothing stays as it is.
func unescape(dst, src []byte) []byte {
	for i := 0; i < len(src); i++ {
		if src[i] != '\\' || i+1 == len(src) {
			dst = append(dst, src[i])
			continue
		}
		i++
		switch c := src[i]; c {
		case '"', '\\', '/':
			dst = append(dst, c)
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			var n int
			dst, n = appendUnicode(dst, src[i+1:])
			i += n
		default:
			dst = append(dst, '\\', c)
		}
	}
	return dst
}

// appendUnicode appends the character of an escape whose digits begin src, and says how many bytes it took. Two escapes make
// one character beyond the first 65 536; half of such a pair stays as it is.
func appendUnicode(dst, src []byte) ([]byte, int) {
	r, ok := hex4(src)
	if !ok {
		return append(dst, '\\', 'u'), 0
	}
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(dst, r), 4
	}
	if len(src) >= 6 && src[4] == '\\' && src[5] == 'u' {
		if low, ok := hex4(src[6:]); ok {
			return utf8.AppendRune(dst, utf16.DecodeRune(r, low)), 10
		}
	}
	return append(append(dst, '\\', 'u'), src[:4]...), 4
}

func hex4(src []byte) (rune, bool) {
	if len(src) < 4 {
		return 0, false
	}
	r := rune(0)
	for _, c := range src[:4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
