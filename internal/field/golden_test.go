package field_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/capture"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/state"
)

const shared = "../../../shared"

// deviations are the fields in which the reference printed what is plainly wrong, so that they cannot be compared.
var deviations = map[string]string{
	"evt.deltatime":                          "always 0: formatters that remember the event before are made anew for each alert",
	"evt.deltatime.s":                        "as evt.deltatime",
	"evt.deltatime.ns":                       "as evt.deltatime",
	"proc.exe_ino.ctime_duration_proc_start": "memory that was never set",
}

// goldenFile is what the reference printed for one capture.
type goldenFile struct {
	Capture  string   `json:"capture"`
	Fields   []string `json:"fields"`
	Unstable []string `json:"unstable"`

	events map[uint64]map[string]json.RawMessage
}

func goldenFiles(t testing.TB) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(shared, "golden", "*.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, path := range all {
		switch filepath.Base(path) {
		case "conditions.jsonl.gz", "validation.jsonl.gz", "suspicious.alerts.jsonl.gz":
		default:
			list = append(list, path)
		}
	}
	if len(list) == 0 {
		t.Skipf("no goldens in %s", filepath.Join(shared, "golden"))
	}
	return list
}

func readGolden(t testing.TB, path string) *goldenFile {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	g := &goldenFile{events: map[uint64]map[string]json.RawMessage{}}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 64<<20)
	for n := 0; lines.Scan(); n++ {
		if n == 0 {
			if err := json.Unmarshal(lines.Bytes(), g); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			continue
		}
		var e map[string]json.RawMessage
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%s:%d: %v", path, n+1, err)
		}
		num, err := strconv.ParseUint(string(e["evt.num"]), 10, 64)
		if err != nil {
			t.Fatalf("%s:%d: %v", path, n+1, err)
		}
		g.events[num] = e
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return g
}

// bindOutput binds a field as an output names it.
func bindOutput(t testing.TB, c *field.Catalogue, text string) *field.Extractor {
	t.Helper()
	f, arg, n, err := c.Parse(text)
	if err != nil || n != len(text) {
		t.Fatalf("parsing %s: %d of %d bytes, error %v", text, n, len(text), err)
	}
	x, err := c.BindField(f, arg, false)
	if err != nil {
		t.Fatalf("binding %s: %v", text, err)
	}
	return x
}

// printed renders what the extractor gives as JSON output has it, "null" for no value.
func printed(x *field.Extractor, c *state.Ctx) string {
	var values []field.Value
	ok := false
	switch {
	case x.Text != nil:
		var s string
		s, ok = x.Text(c)
		values = append(values, field.Value{Text: s})
	case x.Num != nil:
		var n uint64
		n, ok = x.Num(c)
		values = append(values, field.Value{Num: n})
	default:
		values, ok = x.Multi(c, nil)
	}
	if !ok {
		return "null"
	}
	var list []string
	for _, v := range values {
		list = append(list, printedValue(x, v))
	}
	if x.Quantity == field.List && len(list) > 0 {
		sort.Strings(list)
		return "[" + strings.Join(list, ", ") + "]"
	}
	if len(list) == 0 {
		return "null"
	}
	return list[0]
}

func printedValue(x *field.Extractor, v field.Value) string {
	switch x.Type {
	case field.BYTEBUF:
		b := []byte(v.Text)
		for i := range b {
			if b[i] < 0x20 || b[i] > 0x7e {
				b[i] = '.'
			}
		}
		return quoted(string(b))
	case field.IPADDR:
		return quoted(addressText(v.Text))
	case field.BOOL:
		return strconv.FormatBool(v.Num != 0)
	case field.DOUBLE:
		return jsonFloat(math.Float64frombits(v.Num))
	case field.INT8, field.INT16, field.INT32, field.INT64:
		return strconv.FormatInt(int64(v.Num), 10)
	}
	if x.Type.IsText() {
		return quoted(v.Text)
	}
	return strconv.FormatUint(v.Num, 10)
}

func addressText(s string) string {
	if len(s) == 4 {
		return fmt.Sprintf("%d.%d.%d.%d", s[0], s[1], s[2], s[3])
	}
	a := [16]byte([]byte(s))
	return addr16(a)
}

// quoted is a JSON string as the goldens hold it: what is no UTF-8 is replaced, and so are control characters.
func quoted(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(clean)
	return strings.TrimSuffix(b.String(), "\n")
}

func jsonFloat(f float64) string {
	b, _ := json.Marshal(f)
	return string(b)
}

// normal brings a golden value into the form of printed.
func normal(raw json.RawMessage) string {
	if raw == nil {
		return "null"
	}
	switch raw[0] {
	case '"':
		var s string
		_ = json.Unmarshal(raw, &s)
		return quoted(s)
	case '[':
		var list []string
		_ = json.Unmarshal(raw, &list)
		for i := range list {
			list[i] = quoted(list[i])
		}
		sort.Strings(list)
		return "[" + strings.Join(list, ", ") + "]"
	}
	if bytes.ContainsAny(raw, ".") {
		f, _ := strconv.ParseFloat(string(raw), 64)
		return jsonFloat(f)
	}
	return string(raw)
}

// tally counts the equal values of a field and remembers the first that differs.
type tally struct {
	name         string
	equal, total int
	first        string
}

// TestGolden compares every field of every event with what the reference printed. State-only events update the state and
// print nothing.
func TestGolden(t *testing.T) {
	tallies := map[string]*tally{}
	var equal, total int
	for _, path := range goldenFiles(t) {
		if testing.Short() && strings.HasPrefix(filepath.Base(path), "quiet") {
			continue // as many events as all others together
		}
		g := readGolden(t, path)
		name := filepath.Base(g.Capture)
		before, beforeTotal := equal, total
		compareCapture(t, g, func(field string, num uint64, got, want string) {
			c := tallies[field]
			if c == nil {
				c = &tally{name: field}
				tallies[field] = c
			}
			total++
			c.total++
			if got == want {
				equal++
				c.equal++
			} else if c.first == "" {
				c.first = fmt.Sprintf("%s event %d: got %.300s, want %.300s", name, num, got, want)
			}
		})
		t.Logf("%-36s %8d of %8d differ", name, total-beforeTotal-(equal-before), total-beforeTotal)
	}
	worst := make([]*tally, 0, len(tallies))
	for _, c := range tallies {
		if c.equal < c.total {
			worst = append(worst, c)
		}
	}
	sort.Slice(worst, func(i, j int) bool { return worst[i].total-worst[i].equal > worst[j].total-worst[j].equal })
	for _, c := range worst {
		t.Logf("%-32s %6d of %6d differ; %s", c.name, c.total-c.equal, c.total, c.first)
	}
	share := float64(equal) / float64(total)
	t.Logf("%d of %d values are equal (%.4f %%), %d fields differ somewhere", equal, total, 100*share, len(worst))
	if share < 0.999 {
		t.Errorf("%.4f %% of the values are equal, want at least 99.9 %%", 100*share)
	}
}

// compareCapture replays the capture of a golden and hands every pair of values to compare.
func compareCapture(t *testing.T, g *goldenFile, compare func(field string, num uint64, got, want string)) {
	t.Helper()
	r, err := capture.Open(filepath.Join(shared, "captures", g.Capture))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cat := field.NewCatalogue()
	var texts []string
	var xs []*field.Extractor
	for _, text := range g.Fields {
		if deviations[text] != "" || contains(g.Unstable, text) {
			continue
		}
		texts = append(texts, text)
		xs = append(xs, bindOutput(t, cat, text))
	}
	s := state.New(state.Config{})
	s.Load(r.Snapshot())
	var e event.Event
	for {
		err := r.Next(&e)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		c := s.Apply(&e)
		want, ok := g.events[e.Num]
		if !ok {
			continue
		}
		for i, x := range xs {
			w := normal(want[texts[i]])
			if texts[i] == "evt.buffer" && strings.HasPrefix(w, `"NUL`) {
				w = `""` // the reference adds bytes of another event to the text for an empty buffer
			}
			compare(texts[i], e.Num, printed(x, c), w)
		}
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func addr16(a [16]byte) string { return netip.AddrFrom16(a).String() }
