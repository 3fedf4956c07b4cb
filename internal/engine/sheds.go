package engine

import (
	"strconv"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/state"
)

// sheds notices when the bounded tables of the state threw something away: rules may miss a name or a parent then, and
// nobody would know.
type sheds struct {
	raised uint64 // total at the last alert
}

// check returns an alert when something was shed since the last one, and the total has at least doubled: a table that stays
// full raises a handful of alerts and not one a second.
func (s *sheds) check(now state.Stats) *alert.Alert {
	total := shed(now)
	if total == 0 || total < 2*s.raised {
		return nil
	}
	s.raised = total
	const rule = "Saker internal: state tables overflow"
	a := &alert.Alert{
		Rule: rule, Priority: alert.Warning, Source: "internal", Internal: true,
		Message: rule + ". Names, parents or descriptors of new processes may be missing.",
	}
	for _, f := range []struct {
		key string
		n   uint64
	}{
		{"n_threads", now.Threads},
		{"n_fds", now.FDs},
		{"n_drops_full_threadtable", now.DropsFullThreadTable},
		{"n_drops_full_fdtable", now.DropsFullFDTable},
		{"n_undecodable", now.Undecodable},
	} {
		a.Fields = append(a.Fields, alert.Field{Key: f.key, Value: alert.Value{Kind: alert.Text, Text: strconv.FormatUint(f.n, 10)}})
	}
	return a
}

func shed(s state.Stats) uint64 { return s.DropsFullThreadTable + s.DropsFullFDTable + s.Undecodable }
