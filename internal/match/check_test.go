package match

import "testing"

func TestRefusals(t *testing.T) {
	cases := []struct{ cond, want string }{
		{"no.such = 1", "filter_check called with nonexistent field no.such"},
		{"t.a[1] = 1", "filter_check called with nonexistent field t.a[1]"},
		{"n.int = abc", "abc is not a valid number"},
		{"n.u32 >= 0x2354", "0x2354 is not a valid number"},
		{"n.u64 = ''", " is not a valid number"},
		{"n.i32 = '5 '", "5  is not a valid number"},
		{"n.port = 0x956f", "unrecognized protocol 0x956f"},
		{"b.yes = maybe", "filter error: unrecognized boolean value maybe"},
		{"net.one = 10.0.0.0/99", "invalid netmask 99"},
		{"net.one = 10.0.0.0", "unrecognized IP network 10.0.0.0"},
		{"net.one = 10.0.0/8", "unrecognized IP address 10.0.0/8"},
		{"net.one = ::1/0", "invalid v6 netmask 0"},
		{"net.one = ::1", "invalid v6 netmask: ::1"},
		{"ip.one = 1.2.3", "unrecognized IPv4 address 1.2.3"},
		{"ip.one = ::ffff:1.2.3.4", "unrecognized IPv4 address ::ffff:1.2.3.4"},
		{"ip.one = zz", "unrecognized IPv6 address zz"},
		{`t.a regex "(["`, "invalid regex pattern: missing ]: ["},
		{`t.a regex "a(b"`, "invalid regex pattern: missing ): a(b"},
		{`t.a regex "*"`, "invalid regex pattern: no argument for repetition operator: *"},
		{`t.a regex "\\d"`, `invalid regex pattern: invalid escape sequence: \d`},
		{"evt.type = openx", "unknown event type openx"},
		{"evt.type in (open, nope)", "unknown event type nope"},
		{"evt.type startswith op", "unknown event type op"},
		{"buf.raw bcontains xyz", "filter error: bcontains and bstartswith operator support hex strings only"},
		{"t.a bcontains 00", "filter error: 'bcontains' operator not supported for string filters"},
		{"n.int startswith 1", "filter error: 'startswith' operator not supported for numeric filters"},
		{"b.yes contains true", "filter error: 'contains' operator not supported for numeric filters"},
		{"b.yes < 1", "filter error: '<' operator not supported for numeric filters"},
		{"ip.one glob 1", "filter error: 'glob' operator not supported for ip address and network filters"},
		{"ip.one glob anyof (1)", "filter error: 'glob' with modifier not supported for ip address and network filters"},
		{"buf.raw regex x", "filter error: 'regex' operator not supported for buffer filters"},
		{"l.texts = a", "filter error: '=' operator not supported list filters"},
		{"tolower(t.raw) = x", "field 't.raw' does not support transformers"},
		{"len(anc.name) > 2", "field 'anc.name' does not support transformers"},
		{"toupper(n.int) = 4", "can't add field transformer: type 'INT64' is not supported by 'toupper' transformer " +
			"applied on field 'n.int'"},
		{"b64(t.path) = x", "can't add field transformer: type 'FSPATH' is not supported by 'b64' transformer " +
			"applied on field 't.path'"},
		{"t.raw = val(t.a)", "field 't.raw' doesn't support right-hand side fields"},
		{"t.a = val(t.raw)", "field 't.raw' can't be used as a right-hand side field"},
		{"t.a = val(n.int)", "field 't.a' has type 'CHARBUF' while the right-hand side field 'n.int' " +
			"has incompatible type 'INT64'"},
		{"t.a in val(l.texts)", "field 't.a' has type 'CHARBUF' while the right-hand side field 'l.texts' " +
			"has incompatible type 'CHARBUF' (list)"},
		{"t.a regex val(t.b)", "operator 'REGEX' doesn't support right-hand side fields"},
		{"t.a pmatch val(t.b)", "operator 'PMATCH' doesn't support right-hand side fields"},
		{"net.one = val(net.ends)", "field type 'IPNET' doesn't support right-hand side fields"},
		{"join(l.texts, l.texts) = a", "join() first argument (separator) must be a single value, not a list"},
		{"join(',', t.a) = a", "join() second argument must be a list"},
		{"concat(t.a, n.int) = a", "concat() arguments must be strings"},
		{"getopt(t.a, 'ab') intersects (a)", "getopt() first argument must be a list"},
	}
	for _, c := range cases {
		k, err := parseCheck(c.cond)
		if err != nil {
			t.Errorf("%s: %v", c.cond, err)
			continue
		}
		_, err = NewCompiler(newFakeFields(), testServices, nil).Check(k)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s\n got %v\nwant %s", c.cond, err, c.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	cases := []struct{ cond, want string }{
		{"t.a = t.b", "'t.b' may be a valid field misused as a const string value"},
		{"t.a = 'tolower(t.b)'", "'tolower(t.b)' may be a valid field transformer misused as a const string value"},
		{"t.a regex 'abc'", "regex check with 'abc' may be optimized with simpler operators such as " +
			"'=', 'contains', 'startswith', 'endswith'"},
		{"t.a regex '.*abc.+'", "regex check with '.*abc.+' may be optimized with simpler operators such as " +
			"'=', 'contains', 'startswith', 'endswith'"},
		{"t.a regex 'a.c'", ""},
		{"t.a = abc", ""},
	}
	for _, c := range cases {
		k, err := parseCheck(c.cond)
		if err != nil {
			t.Fatal(err)
		}
		m := NewCompiler(newFakeFields(), nil, nil)
		if _, err := m.Check(k); err != nil {
			t.Fatal(err)
		}
		got := ""
		if w := m.Warnings(); len(w) > 0 {
			got = w[0].Message
		}
		if got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.cond, got, c.want)
		}
	}
}

// Resolve knows no hosts.
func (fakeFields) Resolve([]string) {}
