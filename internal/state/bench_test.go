package state

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/capture/capturetest"
	"github.com/saker-sec/saker/internal/event"
)

// BenchmarkApply applies the events of a capture again and again, each time with later times.
func BenchmarkApply(b *testing.B) {
	for _, name := range []string{"lab/quiet", "lab/suspicious", "falco/psp/privileged", "libs/curl_google"} {
		b.Run(filepath.Base(name), func(b *testing.B) {
			snap, list, err := capturetest.Load(filepath.Join(shared, "captures", name+".scap"))
			if err != nil {
				b.Skip(err)
			}
			events := make([]event.Event, len(list))
			for i := range list {
				if err := list[i].Event(&events[i]); err != nil {
					b.Fatal(err)
				}
			}
			span := events[len(events)-1].Time - events[0].Time + 10e9
			s := New(Config{})
			s.Load(snap)
			apply := func() {
				for i := range events {
					s.Apply(&events[i])
					events[i].Time += span
				}
			}
			apply()
			apply()
			b.ReportAllocs()
			b.ResetTimer()
			n := 0
			for b.Loop() {
				apply()
				n += len(events)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
			b.ReportMetric(float64(len(events)), "events")
		})
	}
}

// BenchmarkProcess runs one process after the other: fork, execve with arguments and environment, a few files, exit.
func BenchmarkProcess(b *testing.B) {
	x := &script{t: b, s: New(Config{}), now: 1e18}
	for _, line := range strings.Split(strings.TrimSpace(shell), "\n") {
		x.proc(fields(line)[1:])
	}
	env := strings.Repeat("SOME_VARIABLE=some value of it,", 30) + "LAST=1"
	var events []event.Event
	for _, line := range []string{
		"100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh flags=0 cgroups=cpu=/a,memory=/b",
		"101 clone res=0 exe=sh pid=101 ptid=100 vtid=101 vpid=101 comm=sh flags=0 cgroups=cpu=/a,memory=/b",
		`101 execve res=0 exe=/bin/ls args=-l,/tmp,--color comm=ls pid=101 ptid=100 trusted_exepath=/bin/ls cgroups=cpu=/a,memory=/b env="` + env + `"`,
		"101 openat fd=4 dirfd=-100 name=/etc/ld.so.cache flags=0x1001",
		"101 close res=0 fd=4",
		"101 openat fd=4 dirfd=-100 name=/lib/x86_64-linux-gnu/libc.so.6 flags=0x1001",
		"101 close res=0 fd=4",
		"101 procexit status=0",
	} {
		var e event.Event
		if err := e.Decode(encodeEvent(x, fields(line))); err != nil {
			b.Fatal(err)
		}
		events = append(events, e)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for i := range events {
			x.s.Apply(&events[i])
			events[i].Time += 10e9
		}
		n += len(events)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
}
