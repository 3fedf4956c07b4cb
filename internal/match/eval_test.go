package match

import (
	"math"
	"testing"

	"github.com/saker-sec/saker/internal/field"
)

// TestComparisons evaluates comparisons over one set of values; a field that the set does not name has none.
func TestComparisons(t *testing.T) {
	ff := newFakeFields()
	ff.set("t.a", "Nginx")
	ff.set("t.b", "Nginx: worker")
	ff.set("t.dear", "")
	ff.set("t.path", "/usr/local/bin/nginx")
	ff.set("n.int", -5)
	ff.set("n.u16", 80)
	ff.set("n.u64", 7)
	ff.set("n.double", int(math.Float64bits(2.5)))
	ff.set("n.port", 22)
	ff.set("b.yes", true)
	ff.set("ip.one", "\x0a\x01\x02\x03")
	ff.set("ip.ends", "\x0a\x01\x02\x03", "\x7f\x00\x00\x01")
	ff.set("net.ends", "\x0a\x01\x02\x03", "\x7f\x00\x00\x01")
	ff.set("net.one", "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01")
	ff.set("port.ends", 5000, 22)
	ff.set("anc.name", "bash", "sshd", "systemd")
	ff.set("l.texts", "file", "ipv4")
	ff.set("l.other")
	ff.set("l.nums", 1, 2)
	ff.set("buf.raw", "GET /\x00\x01")

	cases := []struct {
		cond string
		want bool
	}{
		{"t.a = Nginx", true},
		{"t.a == nginx", false},
		{"t.a != nginx", true},
		{"t.raw = x", false},
		{"t.raw != x", false},
		{"t.raw exists", false},
		{"t.raw in (x)", false},
		{"t.dear exists", true},
		{"t.dear = ''", true},
		{"t.dear contains ''", true},
		{"t.a in (a, b, Nginx)", true},
		{"t.a in (a, b, c, d, e, f, nginX)", false},
		{"t.a in (a, b, c, d, e, f, Nginx)", true},
		{"t.a in ()", false},
		{"t.a intersects (Nginx)", true},
		{"t.a contains gin", true},
		{"t.a icontains NGI", true},
		{"t.a icontains nginxx", false},
		{"t.a startswith Ng", true},
		{"t.a endswith nx", true},
		{"t.a endswith xNginx", false},
		{"t.a glob 'N?i*'", true},
		{"t.a glob 'n*'", false},
		{"t.a iglob 'n*X'", true},
		{"t.a glob '[A-Z]ginx'", true},
		{"t.a glob '[!A-Z]ginx'", false},
		{"t.a iglob '[a-m]ginx'", false},
		{"t.path glob '/usr*nginx'", true},
		{"t.a regex 'N.*'", true},
		{"t.a regex gin", false},
		{"t.a regex '(N|M)(g|gin)x?'", true},
		{"t.path pmatch (/usr/local)", true},
		{"t.path pmatch (/usr/loc, /etc)", false},
		{"t.path pmatch (usr//local/)", true},
		{"t.path pmatch ('/usr/*/bin')", true},
		{"t.path pmatch (/usr/local/bin/nginx/x)", false},
		{"t.path pmatch (/)", true},
		{"t.a = anyof (a, Nginx)", true},
		{"t.a = oneof (Nginx, Nginx)", false},
		{"t.a != allof (a, b)", true},
		{"t.a startswith oneof (N, Ng)", false},
		{"t.a startswith allof (N, Ng)", true},
		{"t.a contains anyof (zz, gi)", true},
		{"n.u64 = oneof (7, 8)", true},
		{"n.int < 0", true},
		{"n.int >= -5", true},
		{"n.int = -5", true},
		{"n.int in (1, -5)", true},
		{"n.u64 < -1", true},
		{"n.u16 = 65616", true},
		{"n.u64 in (1, 2, 3, 4, 5, 6, 8, 9, 10, 7)", true},
		{"n.double > 2", true},
		{"n.double = 2", false},
		{"n.double in (3, 2)", false},
		{"n.port = ssh", true},
		{"n.port in (http, 22)", true},
		{"n.port = ''", false},
		{"b.yes = true", true},
		{"b.yes != true", false},
		{"b.yes in (true, false)", true},
		{"ip.one = 10.1.2.3", true},
		{"ip.one = ::1", false},
		{"ip.one != ::1", true},
		{"ip.one in (::1, 10.1.2.3)", true},
		{"ip.ends = 127.0.0.1", true},
		{"ip.ends != 127.0.0.1", false},
		{"ip.ends != 1.1.1.1", true},
		{"ip.ends in (1.1.1.1, 10.1.2.3)", true},
		{"ip.ends exists", true},
		{"net.ends = 10.0.0.0/8", true},
		{"net.ends != 10.0.0.0/8", false},
		{"net.ends != 192.168.0.0/16", true},
		{"net.ends in (192.168.0.0/16, 127.0.0.0/8)", true},
		{"net.ends = 10.1.2.4/31", false},
		{"net.ends = 10.1.2.2/31", true},
		{"net.one = 2001:db8::/32", true},
		{"net.one = 2001:db8::2/127", false},
		{"net.one = 0.0.0.0/0", false},
		{"net.one != 0.0.0.0/0", true},
		{"port.ends = 22", true},
		{"port.ends != 22", false},
		{"port.ends > 4000", true},
		{"port.ends < 10", false},
		{"anc.name = sshd", true},
		{"anc.name != sshd", true},
		{"anc.name in (zsh, systemd)", true},
		{"anc.name startswith sys", true},
		{"anc.name exists", true},
		{"anc.pid exists", false},
		{"l.texts in (file, ipv4, x)", true},
		{"l.texts in (file)", false},
		{"l.texts intersects (ipv4, y)", true},
		{"l.other exists", true},
		{"l.other in ()", true},
		{"l.other intersects (a)", false},
		{"l.nums in (1, 2, 3)", true},
		{"l.nums intersects (9)", false},
		{"buf.raw contains GET", true},
		{"buf.raw startswith 'GET /'", true},
		{"buf.raw bcontains 2f0001", true},
		{"buf.raw bstartswith 47", true},
		{"buf.raw endswith GET", false},
		{"buf.raw = GET", false},
		{"t.a = val(t.b)", false},
		{"t.b startswith val(t.a)", true},
		{"t.b contains val(t.raw2)", false},
		{"n.int = val(n.int2)", false},
		{"l.other in val(l.texts)", true},
		{"l.texts in val(l.other)", false},
		{"l.texts intersects val(l.texts)", true},
		{"tolower(t.a) = nginx", true},
		{"toupper(t.a) = NGINX", true},
		{"basename(t.path) = nginx", true},
		{"basename(t.a) = Nginx", true},
		{"len(t.a) = 5", true},
		{"len(t.raw2) = 0", false},
		{"len(l.texts) = 2", true},
		{"len(tolower(t.a)) > 4", true},
		{"toupper(l.texts) intersects (IPV4)", true},
		{"toupper(l.texts) in (IPV4, FILE)", true},
		{"join('-', l.texts) = file-ipv4", true},
		{"concat(t.a, '/', t.dear) = 'Nginx/'", true},
		{"concat('x-', anc.name) = x-bash", true},
		{"join(anc.name, l.texts) = filebashipv4", true},
		{"join(',', (t.a, n.int, b.yes)) = 'Nginx,-5,true'", true},
		{"t.a = toupper(t.a)", false},
		{"toupper(t.a) = toupper(t.a)", true},
	}
	ff.add("t.raw2", ff["t.a"].Type, 0, 0)
	m := NewCompiler(ff, testServices, nil)
	ctx := testCtx()
	for _, c := range cases {
		k, err := parseCheck(c.cond)
		if err != nil {
			t.Errorf("%s: %v", c.cond, err)
			continue
		}
		check, err := m.Check(k)
		if err != nil {
			t.Errorf("%s: %v", c.cond, err)
			continue
		}
		f := m.NewFrame()
		f.Begin(ctx)
		if got := check.Eval(f); got != c.want {
			t.Errorf("%s: got %v", c.cond, got)
		}
		check.Eval(f) // buffers have grown
		if n := testing.AllocsPerRun(20, func() { f.Begin(ctx); check.Eval(f) }); n != 0 {
			t.Errorf("%s: %v allocations", c.cond, n)
		}
	}
}

func TestBase64(t *testing.T) {
	cases := []struct{ in, want string }{
		{"aGVsbG8=", "hello"},
		{"aGVsbG8", "hello"},
		{"", ""},
		{"aGVsbG8h", "hello!"},
		{"a", "-"},
		{"aGVsbG9=", "-"},
		{"aGV sbG8=", "-"},
		{"=", "-"},
		{"aAAA", "h"},
	}
	for _, c := range cases {
		got, _, ok := decodeBase64(nil, c.in)
		if !ok {
			got = "-"
		}
		if got != c.want {
			t.Errorf("b64(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestGetopt(t *testing.T) {
	ff := newFakeFields()
	ff.set("l.texts", "-ab", "-c", "v1", "--long", "-cv2", "-z", "rest", "-a")
	cases := []struct {
		cond string
		want bool
	}{
		{"join(' ', getopt(l.texts, 'abc:')) = 'a b c v1 c v2 ?'", true},
		{"getopt(l.texts, 'abc:')[c] = v2", true},
		{"getopt(l.texts, 'abc:')[a] = a", true},
		{"getopt(l.texts, 'abc:')[q] exists", false},
		{"getopt(l.texts, 'abc:') intersects (v1)", true},
		{"getopt(('-x', 'q', getopt(l.texts, 'abc:')[c]), 'x:')[x] = q", true},
	}
	m := NewCompiler(ff, nil, nil)
	for _, c := range cases {
		k, err := parseCheck(c.cond)
		if err != nil {
			t.Errorf("%s: %v", c.cond, err)
			continue
		}
		check, err := m.Check(k)
		if err != nil {
			t.Errorf("%s: %v", c.cond, err)
			continue
		}
		f := m.NewFrame()
		f.Begin(testCtx())
		if got := check.Eval(f); got != c.want {
			t.Errorf("%s: got %v", c.cond, got)
		}
	}
}

// TestMemory extracts a dear field once per event, however many checks read it.
func TestMemory(t *testing.T) {
	ff := newFakeFields()
	ff.set("t.dear", "x")
	m := NewCompiler(ff, nil, nil)
	var checks []*Check
	for _, cond := range []string{"t.dear = a", "t.dear startswith b", "tolower(t.dear) = c"} {
		checks = append(checks, compiled(t, m, cond))
	}
	f := m.NewFrame()
	for range 3 {
		f.Begin(testCtx())
		for _, c := range checks {
			c.Eval(f)
		}
	}
	if ff["t.dear"].reads != 3 {
		t.Errorf("three events read the field %d times", ff["t.dear"].reads)
	}
}

// TestAround compares the distance that evt.around is with the largest one that holds.
func TestAround(t *testing.T) {
	ff := newFakeFields()
	ff.add("evt.around", field.UINT64, field.One, field.NoRHS|field.NoTransformer)
	ff.set("evt.around", 100)
	for cond, want := range map[string]bool{"evt.around = 99": false, "evt.around = 100": true, "evt.around = 101": true} {
		k, err := parseCheck(cond)
		if err != nil {
			t.Fatal(err)
		}
		m := NewCompiler(ff, nil, nil)
		c, err := m.Check(k)
		if err != nil {
			t.Fatalf("%s: %v", cond, err)
		}
		f := m.NewFrame()
		f.Begin(testCtx())
		if got := c.Eval(f); got != want {
			t.Errorf("%s: got %v", cond, got)
		}
	}
	k, err := parseCheck("evt.around != 5")
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewCompiler(ff, nil, nil).Check(k)
	if want := "evt.around supports only '=' comparison operator"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
