package field_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/state"
)

// TestParse finds fields where outputs name them: the longest name wins, and what follows is not the field's.
func TestParse(t *testing.T) {
	c := field.NewCatalogue()
	cases := []struct{ text, name, arg, taken string }{
		{"proc.name", "proc.name", "", "proc.name"},
		{"proc.name,", "proc.name", "", "proc.name"},
		{"proc.named", "proc.name", "", "proc.name"},
		{"proc.aname[2] x", "proc.aname", "2", "proc.aname[2]"},
		{"proc.aname[x]", "proc.aname", "", "proc.aname"},
		{"proc.aexepath[1]", "proc.aexepath", "1", "proc.aexepath[1]"},
		{"proc.aexe[1]", "proc.aexe", "1", "proc.aexe[1]"},
		{"proc.env[HOME]/x", "proc.env", "HOME", "proc.env[HOME]"},
		{"proc.pid[1]", "proc.pid", "", "proc.pid"},
		{"evt.time.s", "evt.time.s", "", "evt.time.s"},
		{"evt.time.iso8601", "evt.time.iso8601", "", "evt.time.iso8601"},
		{"evt.arg.flags", "evt.arg", "flags", "evt.arg.flags"},
		{"evt.arg.flagsx", "evt.arg", "flags", "evt.arg.flags"},
		{"evt.arg.fdin", "evt.arg", "fdin", "evt.arg.fdin"},
		{"evt.arg[1]", "evt.arg", "1", "evt.arg[1]"},
		{"evt.args", "evt.args", "", "evt.args"},
		{"evt.rawarg.fd", "evt.rawarg", "fd", "evt.rawarg.fd"},
		{"evt.type.is.openat)", "evt.type.is", "openat", "evt.type.is.openat"},
		{"evt.type.is.300", "evt.type.is", "300", "evt.type.is.300"},
		{"evt.abspath.src", "evt.abspath", "src", "evt.abspath.src"},
		{"evt.abspath.x", "evt.abspath", "", "evt.abspath"},
		{"thread.cgroup.cpuset]", "thread.cgroup", "cpuset", "thread.cgroup.cpuset"},
		{"thread.cgroups", "thread.cgroups", "", "thread.cgroups"},
		{"fd.types[3]", "fd.types", "3", "fd.types[3]"},
		{"fd.cip.name", "fd.cip.name", "", "fd.cip.name"},
	}
	for _, tc := range cases {
		f, arg, n, err := c.Parse(tc.text)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if f.Name != tc.name || arg != tc.arg || tc.text[:n] != tc.taken {
			t.Errorf("%s: got %s with argument %q taking %s, want %s with %q taking %s", tc.text, f.Name, arg, tc.text[:n], tc.name,
				tc.arg, tc.taken)
		}
	}
}

// TestBindErrors checks Falco's messages, and which of them mean that there is no such field.
func TestBindErrors(t *testing.T) {
	c := field.NewCatalogue()
	const noField = "filter_check called with nonexistent field "
	cases := []struct {
		name, arg string
		hasArg    bool
		want      string // "" for success
	}{
		{"proc.name", "", false, ""},
		{"proc.nobody", "", false, noField + "proc.nobody"},
		{"proc.namex", "", false, noField + "proc.namex"},
		{"proc.pid", "1", true, noField + "proc.pid[1]"},
		{"proc.aname", "x", true, noField + "proc.aname[x]"},
		{"proc.aname", "2", true, ""},
		{"proc.aname", "", false, ""},
		{"proc.args", "0", true, ""},
		{"proc.env", "HOME", true, ""},
		{"proc.aenv", "2", true, ""},
		{"evt.arg", "", false, "filter syntax error: evt.arg"},
		{"evt.arg", "x", true, "x is not a valid number"},
		{"evt.arg", "1", true, ""},
		{"evt.arg.flags", "", false, ""},
		{"evt.arg.nosuch", "", false, "unknown event argument nosuch"},
		{"evt.arg.flagsx", "", false, noField + "evt.arg.flagsx"},
		{"evt.rawarg", "1", true, "evt.arg fields must be expressed explicitly"},
		{"evt.rawarg.fd", "", false, ""},
		{"evt.around", "12", true, ""},
		{"evt.around", "x", true, "x is not a valid number"},
		{"evt.around.x", "", false, "wrong syntax for evt.around"},
		{"evt.around", "", false, "filter syntax error: evt.around"},
		{"evt.type.is.open", "", false, ""},
		{"evt.type.is.nosuch", "", false, noField + "evt.type.is.nosuch"},
		{"evt.type.is", "", false, "filter syntax error: evt.type.is"},
		{"evt.abspath", "", false, ""},
		{"evt.abspath.dst", "", false, ""},
		{"thread.cgroup", "", false, "filter syntax error: thread.cgroup"},
		{"thread.cgroup.memory", "", false, ""},
		{"fd.types", "x", true, "x is not a valid number"},
		{"", "", false, noField},
	}
	for _, tc := range cases {
		x, err := c.Bind(tc.name, tc.arg, tc.hasArg, true)
		if tc.want == "" {
			if err != nil {
				t.Errorf("%s[%s]: %v", tc.name, tc.arg, err)
			} else if x.Field == nil || x.Type == 0 || (x.Text != nil) == (x.Num != nil) && x.Multi == nil {
				t.Errorf("%s[%s]: incomplete extractor %+v", tc.name, tc.arg, x)
			}
			continue
		}
		if err == nil || err.Error() != tc.want {
			t.Errorf("%s[%s]: error %v, want %s", tc.name, tc.arg, err, tc.want)
			continue
		}
		var unknown *field.UnknownFieldError
		if errors.As(err, &unknown) != strings.HasPrefix(tc.want, noField) {
			t.Errorf("%s[%s]: error %v is of type %T", tc.name, tc.arg, err, err)
		}
	}
}

// TestFilterOnly checks that outputs may name fields that are for conditions, which have no value there.
func TestFilterOnly(t *testing.T) {
	c := field.NewCatalogue()
	for name, typ := range map[string]field.Type{"fd.ip": field.IPADDR, "fd.port": field.PORT, "fd.net": field.IPNET} {
		x, err := c.Bind(name, "", false, false)
		if err != nil || x.Type != typ || x.Multi != nil {
			t.Errorf("%s in an output: %+v, error %v", name, x, err)
			continue
		}
		if got := printed(x, &state.Ctx{Event: &event.Event{}}); got != "null" {
			t.Errorf("%s in an output has the value %s", name, got)
		}
	}
	if _, err := c.Bind("evt.around", "x", true, false); err == nil {
		t.Error("evt.around[x] in an output is accepted")
	}
}

// TestFieldsAreDescribed checks what every field has to have, and that its extractor is of its type.
func TestFieldsAreDescribed(t *testing.T) {
	c := field.NewCatalogue()
	args := map[string]string{"evt.arg": "fd", "evt.rawarg": "fd", "evt.around": "1", "evt.type.is": "open", "thread.cgroup": "cpuset"}
	for _, class := range c.Classes() {
		if class.Name == "" || class.Doc == "" {
			t.Errorf("class %+v has no name or documentation", class)
		}
		for i := range class.Fields {
			f := &class.Fields[i]
			if !strings.HasSuffix(f.Doc, ".") || strings.Contains(f.Doc, "\n") {
				t.Errorf("%s: documentation is not one sentence: %q", f.Name, f.Doc)
			}
			if (f.Flags&(field.ArgRequired|field.ArgAllowed) != 0) != (len(f.Args) > 0) {
				t.Errorf("%s: flags %b do not fit arguments %v", f.Name, f.Flags, f.Args)
			}
			for _, filtering := range []bool{true, false} {
				if !filtering && f.Flags&field.FilterOnly != 0 {
					continue
				}
				x, err := c.BindField(f, args[f.Name], filtering)
				if err != nil {
					t.Errorf("%s: %v", f.Name, err)
					continue
				}
				if x.Cost <= 0 || x.Arg != args[f.Name] || x.Field == nil {
					t.Errorf("%s: incomplete extractor %+v", f.Name, x)
				}
				switch {
				case x.Quantity != field.One:
					if x.Multi == nil || x.Text != nil || x.Num != nil {
						t.Errorf("%s: an extractor of several values has only Multi", f.Name)
					}
				case x.Type.IsText() != (x.Text != nil) || x.Type.IsText() == (x.Num != nil) || x.Multi != nil:
					t.Errorf("%s: extractor does not fit type %s", f.Name, x.Type)
				}
				if f.List != (x.Quantity == field.List) {
					t.Errorf("%s: list %v, quantity %d", f.Name, f.List, x.Quantity)
				}
			}
		}
	}
}

// TestAdd adds the class of a plugin. Its fields take arguments in brackets, and the first class to have a name keeps it.
func TestAdd(t *testing.T) {
	c := field.NewCatalogue()
	bind := func(arg string, _ bool) (*field.Extractor, error) { return &field.Extractor{Cost: 1, Arg: arg}, nil }
	c.Add(&field.Class{Name: "json", Doc: "Values.", Source: "json", Fields: []field.Field{
		{Name: "json.value", Type: field.CHARBUF, Args: []field.ArgKind{field.ArgKey}, Flags: field.ArgRequired, Bind: bind},
		{Name: "proc.name", Type: field.UINT64, Bind: bind},
	}})
	if x, err := c.Bind("json.value", "/a/b", true, true); err != nil || x.Arg != "/a/b" {
		t.Errorf("json.value[/a/b]: %+v, error %v", x, err)
	}
	_, err := c.Bind("json.value", "", false, true)
	if err == nil || err.Error() != "filter 'json.value': json.value requires an argument but none provided" {
		t.Errorf("json.value: error %v", err)
	}
	if f, ok := c.Lookup("proc.name"); !ok || f.Type != field.CHARBUF {
		t.Errorf("proc.name was replaced")
	}
}

// TestResolveAgain resolves hosts that have not moved, which costs nothing however many hosts there are: a reload resolves them all.
func TestResolveAgain(t *testing.T) {
	c := field.NewCatalogue()
	c.Resolve([]string{"example.org"}) // without a resolver
	hosts, addrs := make([]string, 1000), make([][]netip.Addr, 1000)
	for i := range hosts {
		hosts[i] = fmt.Sprint("host", i)
		addrs[i] = []netip.Addr{netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)})}
	}
	hosts[999], addrs[999] = "unknown", nil
	c.LookupHosts = func([]string) [][]netip.Addr { return addrs }
	c.Resolve(hosts)
	if n := testing.AllocsPerRun(10, func() { c.Resolve(hosts) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"proc.aname[2]", "evt.arg.flags", "evt.type.is.open", "thread.cgroup.cpuset", "fd.types[3]", "evt.around[1]="} {
		f.Add(s)
	}
	c := field.NewCatalogue()
	f.Fuzz(func(t *testing.T, text string) {
		fd, arg, n, err := c.Parse(text)
		if err != nil {
			return
		}
		if n < len(fd.Name) || n > len(text) || !strings.HasPrefix(text, fd.Name) || !strings.Contains(text[:n], arg) {
			t.Fatalf("%q: field %s, argument %q, %d bytes", text, fd.Name, arg, n)
		}
		if _, err := c.BindField(fd, arg, true); err != nil {
			t.Fatalf("%q: parsed, but not bound: %v", text, err)
		}
	})
}
