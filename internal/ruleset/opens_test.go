package ruleset_test

import (
	"path/filepath"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/rule"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
	"github.com/saker-sec/saker/rules"
)

func defaultRules(t testing.TB) []*rule.Rule {
	t.Helper()
	l := rule.NewLoader(rule.Config{Checker: ruleset.NewChecker(testOptions(t)), MinPriority: alert.Debug})
	if res := l.Load(rules.Default()); !res.Successful() {
		t.Fatal(res.Verbose())
	}
	return l.Rules()
}

// ordinary are files that programs open all the time and that no rule is about.
var ordinary = []string{
	"/etc/ld.so.cache", "/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/locale/locale-archive", "/etc/hostname", "/proc/self/status",
	"/usr/share/zoneinfo/UTC", "/sys/kernel/mm/transparent_hugepage/enabled", "/home/user/project/internal/server/handler.go",
	"/var/lib/postgresql/data/base/16384/2619", "/usr/lib/python3/dist-packages/yaml/__init__.py", "/dev/null", "/tmp/cc8Q2Xyz.s",
	"/srv/www/static/css/site.css", "/usr/include/x86_64-linux-gnu/bits/types.h", "/etc/nsswitch.conf", "/run/systemd/journal/socket",
}

// BenchmarkOpens measures an open and its close by a process of a recorded machine, the files in turns. ns/op is per event.
func BenchmarkOpens(b *testing.B) {
	rec := record(b, filepath.Join(shared, "captures/lab/quiet.scap"))
	for _, c := range []struct {
		name  string
		rules []*rule.Rule
	}{{"state", nil}, {"default", defaultRules(b)}, {"upstream", upstreamRules(b)}} {
		b.Run(c.name, func(b *testing.B) {
			o := testOptions(b)
			o.First = true
			rs, err := ruleset.New(c.rules, o)
			if err != nil {
				b.Fatal(err)
			}
			s := state.New(state.Config{})
			s.Load(rec.snap)
			p := rec.snap.Processes[len(rec.snap.Processes)/2]
			var events []event.Event
			var w event.Encoder
			for i, path := range ordinary {
				now := rec.events[0].Time + uint64(i)*2000
				w.Begin(event.SyscallOpenatV2X, now, p.TID)
				w.Int64(100)
				w.Int64(-100)
				w.Text(path)
				w.Uint32(1)
				w.Uint32(0)
				w.Uint32(0x801)
				w.Uint64(uint64(1000 + i))
				events = append(events, decoded(b, &w))
				w.Begin(event.SyscallCloseX, now+1000, p.TID)
				w.Int64(0)
				w.Int64(100)
				events = append(events, decoded(b, &w))
			}
			b.ReportAllocs()
			at := 0
			for b.Loop() {
				e := &events[at]
				if at++; at == len(events) {
					at = 0
				}
				if ctx := s.Apply(e); c.rules != nil {
					for _, r := range rs.Match(ctx) {
						b.Fatal(r.Name)
					}
				}
				e.Time += 1e6
			}
		})
	}
}

func decoded(t testing.TB, w *event.Encoder) event.Event {
	t.Helper()
	var e event.Event
	if err := e.Decode(append([]byte(nil), w.Bytes()...)); err != nil {
		t.Fatal(err)
	}
	return e
}
