package ruleset_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/container"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
)

// lateRules mix comparisons that the event decides with those that wait for a container runtime, in every kind of node.
const lateRules = `
	a: container.name = web
	b: not container.name = web
	c: evt.type = openat and container.image.repository in (box, cup)
	d: evt.type in (openat, close) and (container.privileged = true or proc.name startswith c)
	e: proc.name != nobody and not (container.privileged = false or fd.num > 3)
	f: container.name exists and evt.is_open_read = true
	g: not container.name exists
	h: (container.name = web and proc.name = cat) or (container.name = other and not proc.name = cat)
	i: container.id != host and k8s.pod.name = p
	j: toupper(container.name) = WEB and fd.name contains /
	k: not (evt.type = openat and not (container.name = web or fd.name startswith /etc))
	l: container.name = val(container.image.repository)
	m: proc.name exists
	n: container.mounts contains /srv and not fd.num = 3
	o: container.id_mismatch = false and evt.type = openat`

// TestHoldAgreesWithMatch holds what is decided in two steps against what is decided in one, when the answer is known from the
// beginning: over recorded events of a container, for several answers, and for the first rule and all rules.
func TestHoldAgreesWithMatch(t *testing.T) {
	catalogue := field.NewCatalogue()
	answers := []*container.Container{
		nil,
		{Name: "web", Repository: "box", Privileged: container.True, Mounts: []container.Mount{{Source: "/srv"}}},
		{Name: "other", Repository: "other", Privileged: container.False, Pod: container.Pod{Name: "p"}},
	}
	names := func(rules []*ruleset.Rule, c *state.Ctx, set *ruleset.Ruleset) []string {
		var out []string
		for _, r := range rules {
			out = append(out, r.Name+" "+set.Alert(r, c).Message)
		}
		return out
	}
	for _, first := range []bool{false, true} {
		rules := rulesOf(t, lateRules)
		for _, r := range rules {
			r.Output = "%evt.num %proc.name %container.name %toupper(container.image.repository) %container.id %fd.name"
		}
		if first {
			slices.Reverse(rules) // so that late ones and others take turns at the front
		}
		set, err := ruleset.New(rules, ruleset.Options{
			Sources: []string{ruleset.SyscallSource}, First: first, Fields: func(string) *field.Catalogue { return catalogue },
		})
		if err != nil {
			t.Fatal(err)
		}
		compared, held := 0, 0
		replay(t, filepath.Join(shared, "captures", "falco", "psp", "run_as_user_0_container.scap"), func(c *state.Ctx) {
			k := c.Container()
			if k == nil {
				return
			}
			before := k.Info
			for _, answer := range answers {
				k.Info = answer
				want := names(set.Match(c), c, set)
				k.Info = nil
				certain, h := set.Hold(c)
				var got []string
				if h == nil {
					k.Info = answer
					got = names(certain, c, set)
				} else {
					held++
					k.Info = answer
					for _, a := range h.Alerts() {
						got = append(got, a.Rule+" "+a.Message)
					}
				}
				if !slices.Equal(got, want) {
					t.Fatalf("event %d with %+v: held:\n%s\nat once:\n%s", c.Event.Num, answer, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				compared++
			}
			k.Info = before
		})
		if compared < 100 || held < 100 {
			t.Errorf("only %d decisions were compared, %d of them held", compared, held)
		}
		t.Logf("first=%v: %d decisions, %d held", first, compared, held)
	}
}
