package awssecuritylake

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
)

// This file writes Parquet (github.com/apache/parquet-format, Parquet.md and parquet.thrift): one row group, in which each
// column is one data page of version 1 with plain values, compressed with gzip. That is what the schemas of this package need,
// in a few hundred lines; parquet-go reads it back in the tests.

// kind is a physical type, by its number in parquet.thrift.
type kind int64

const (
	kindInt32 kind = 1
	kindInt64 kind = 2
	kindText  kind = 6 // BYTE_ARRAY, in UTF-8
)

// Numbers of parquet.thrift.
const (
	repetitionRequired = 0
	repetitionRepeated = 2
	convertedUTF8      = 0
	codecGzip          = 2
	encodingPlain      = 0
	encodingRLE        = 3
)

// cell is a value of a column.
type cell struct {
	text   string
	number int64
}

// column is a leaf of the schema. Its path has dots between the names of groups; "[]" behind a name says that there is any
// number of it in a row, which one name of a path can be. The function returns a row's values: exactly one unless the path has
// "[]".
type column struct {
	path   string
	kind   kind
	values func(*alert.Alert) []cell
}

func (c column) repeated() bool { return strings.Contains(c.path, "[]") }

// names returns the path without "[]".
func (c column) names() []string { return strings.Split(strings.ReplaceAll(c.path, "[]", ""), ".") }

// magic is how a file begins and ends.
const magic = "PAR1"

// chunk is a column in the file.
type chunk struct {
	at, plain, packed, values int64 // offset; bytes with the header, as they are and compressed; values, absent ones included
}

// encode returns a file with a row for each alert.
func encode(columns []column, alerts []*alert.Alert) []byte {
	out := []byte(magic)
	chunks := make([]chunk, len(columns))
	total := int64(0)
	for i, c := range columns {
		out, chunks[i] = appendColumn(out, c, alerts)
		total += chunks[i].plain
	}
	var t compact
	t.within(func() {
		t.number(1, thriftInt32, 1) // version
		t.schema(columns)
		t.number(3, thriftInt64, int64(len(alerts)))
		t.list(4, thriftStruct, 1)
		t.within(func() {
			t.list(1, thriftStruct, len(columns))
			for i, c := range columns {
				t.chunk(c, chunks[i])
			}
			t.number(2, thriftInt64, total)
			t.number(3, thriftInt64, int64(len(alerts)))
		})
		t.text(6, "saker")
	})
	out = append(out, t.out...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(t.out)))
	return append(out, magic...)
}

// appendColumn appends a column's page.
func appendColumn(out []byte, c column, alerts []*alert.Alert) ([]byte, chunk) {
	var repetition, definition, values []byte
	n := 0
	for _, a := range alerts {
		cells := c.values(a)
		if len(cells) == 0 { // there is no value, but an entry that says so
			repetition, definition = append(repetition, 0), append(definition, 0)
			n++
		}
		for i, v := range cells {
			repetition, definition = append(repetition, byte(min(i, 1))), append(definition, 1)
			n++
			switch c.kind {
			case kindInt32:
				values = binary.LittleEndian.AppendUint32(values, uint32(v.number))
			case kindInt64:
				values = binary.LittleEndian.AppendUint64(values, uint64(v.number))
			case kindText:
				text := strings.ToValidUTF8(v.text, "\ufffd")
				values = append(binary.LittleEndian.AppendUint32(values, uint32(len(text))), text...)
			}
		}
	}
	var page []byte
	if c.repeated() {
		page = appendLevels(appendLevels(page, repetition), definition)
	}
	page = append(page, values...)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(page) // a bytes.Buffer does not fail
	_ = z.Close()
	var t compact
	t.within(func() {
		t.number(1, thriftInt32, 0) // a data page
		t.number(2, thriftInt32, int64(len(page)))
		t.number(3, thriftInt32, int64(packed.Len()))
		t.field(5, thriftStruct)
		t.within(func() {
			t.number(1, thriftInt32, int64(n))
			t.number(2, thriftInt32, encodingPlain)
			t.number(3, thriftInt32, encodingRLE)
			t.number(4, thriftInt32, encodingRLE)
		})
	})
	header := int64(len(t.out))
	made := chunk{int64(len(out)), header + int64(len(page)), header + int64(packed.Len()), int64(n)}
	out = append(out, t.out...)
	return append(out, packed.Bytes()...), made
}

// appendLevels appends levels of 0 and 1 as runs, after the number of their bytes.
func appendLevels(out, levels []byte) []byte {
	var runs []byte
	for len(levels) > 0 {
		n := 1
		for n < len(levels) && levels[n] == levels[0] {
			n++
		}
		runs = append(binary.AppendUvarint(runs, uint64(n)<<1), levels[0])
		levels = levels[n:]
	}
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(runs))), runs...)
}

// node is a part of the schema: a group or a column.
type node struct {
	name     string // with "[]"
	kind     kind   // 0 is a group
	children []*node
}

// tree returns the schema of columns. Columns of one group stand together.
func tree(columns []column) *node {
	root := &node{name: "schema"}
	for _, c := range columns {
		at := root
		for name := range strings.SplitSeq(c.path, ".") {
			if n := len(at.children); n > 0 && at.children[n-1].name == name {
				at = at.children[n-1]
				continue
			}
			next := &node{name: name}
			at.children = append(at.children, next)
			at = next
		}
		at.kind = c.kind
	}
	return root
}

// schema appends the schema: its nodes, each before its children.
func (t *compact) schema(columns []column) {
	var all []*node
	var add func(*node)
	add = func(n *node) {
		all = append(all, n)
		for _, c := range n.children {
			add(c)
		}
	}
	add(tree(columns))
	t.list(2, thriftStruct, len(all))
	for i, n := range all {
		t.within(func() {
			if n.kind != 0 {
				t.number(1, thriftInt32, int64(n.kind))
			}
			if name, repeated := strings.CutSuffix(n.name, "[]"); i > 0 {
				t.number(3, thriftInt32, map[bool]int64{false: repetitionRequired, true: repetitionRepeated}[repeated])
				t.text(4, name)
			} else {
				t.text(4, name)
			}
			if len(n.children) > 0 {
				t.number(5, thriftInt32, int64(len(n.children)))
			}
			if n.kind == kindText {
				t.number(6, thriftInt32, convertedUTF8)
			}
		})
	}
}

// chunk appends where a column is and what is in it.
func (t *compact) chunk(c column, where chunk) {
	t.within(func() {
		t.number(2, thriftInt64, where.at)
		t.field(3, thriftStruct)
		t.within(func() {
			t.number(1, thriftInt32, int64(c.kind))
			t.list(2, thriftInt32, 2)
			t.out = append(t.out, encodingPlain<<1, encodingRLE<<1) // in zigzag
			names := c.names()
			t.list(3, thriftBinary, len(names))
			for _, name := range names {
				t.raw(name)
			}
			t.number(4, thriftInt32, codecGzip)
			t.number(5, thriftInt64, where.values)
			t.number(6, thriftInt64, where.plain)
			t.number(7, thriftInt64, where.packed)
			t.number(9, thriftInt64, where.at)
		})
	})
}

// Types of Thrift's compact protocol (github.com/apache/thrift, thrift-compact-protocol.md).
const (
	thriftInt32  = 5
	thriftInt64  = 6
	thriftBinary = 8
	thriftList   = 9
	thriftStruct = 12
)

// compact writes Thrift's compact protocol.
type compact struct {
	out  []byte
	last byte // id of the last field of the struct
}

// within writes a struct's fields and its end.
func (t *compact) within(fields func()) {
	before := t.last
	t.last = 0
	fields()
	t.out, t.last = append(t.out, 0), before
}

// field begins a field. Ids grow, by 15 at most.
func (t *compact) field(id, kind byte) {
	t.out = append(t.out, (id-t.last)<<4|kind)
	t.last = id
}

func (t *compact) number(id, kind byte, n int64) {
	t.field(id, kind)
	t.out = binary.AppendVarint(t.out, n) // which is in zigzag
}

func (t *compact) text(id byte, s string) {
	t.field(id, thriftBinary)
	t.raw(s)
}

func (t *compact) raw(s string) {
	t.out = append(binary.AppendUvarint(t.out, uint64(len(s))), s...)
}

// list begins a list, whose elements follow.
func (t *compact) list(id, kind byte, n int) {
	t.field(id, thriftList)
	if n < 15 {
		t.out = append(t.out, byte(n)<<4|kind)
		return
	}
	t.out = binary.AppendUvarint(append(t.out, 0xf0|kind), uint64(n))
}
