package ruleset

import (
	"slices"
	"strconv"
)

// plan says how the rules that can match one event type are matched: a tree of steps, in which what several rules have
// in common is tested once and, where it fails, rules them all out.
type plan []step

// step is a condition and what follows when it holds: rules that match then, and further steps.
type step struct {
	cond  *node // nil holds always
	rules []int32
	next  plan
}

// candidate is a rule with the conjuncts that are not tested yet.
type candidate struct {
	rule  int32
	conds []*node // in the order that fails soonest
}

// newPlan makes the plan of rules whose conditions are tested when what is paid is read already.
func newPlan(cands []candidate, done paid) plan {
	for i := range cands {
		cands[i].conds = arrange(cands[i].conds, and, done)
	}
	var p plan
	for len(cands) > 0 {
		best := choose(cands, done)
		if best == nil {
			for _, c := range cands {
				p = append(p, chain(c))
			}
			return p
		}
		var inside, outside []candidate
		for _, c := range cands {
			if i := slices.Index(c.conds, best); i >= 0 {
				inside = append(inside, candidate{c.rule, slices.Delete(slices.Clone(c.conds), i, i+1)})
			} else {
				outside = append(outside, c)
			}
		}
		done = slices.Clone(done)
		done.pay(best)
		s := step{cond: best, next: newPlan(inside, done)}
		best.uses++
		p = append(p, s)
		cands = outside
	}
	return p
}

// choose returns the condition that is worth testing for several rules at once, before their others: the one for which
// the expected cost of the rules falls most. nil when there is none.
func choose(cands []candidate, done paid) *node {
	count := make(map[*node]int)
	for i := range cands {
		for _, n := range cands[i].conds {
			count[n]++
		}
	}
	saved := make(map[*node]float64)
	var shared []*node
	for i := range cands {
		whole, without := cands[i].costs(done)
		for at, n := range cands[i].conds {
			if count[n] < 2 {
				continue
			}
			if _, known := saved[n]; !known {
				shared = append(shared, n)
				saved[n] = -n.costAfter(done)
			}
			saved[n] += whole - n.pass*without[at]
		}
	}
	var best *node
	for _, n := range shared {
		if saved[n] > 0 && (best == nil || saved[n] > saved[best]) {
			best = n
		}
	}
	return best
}

// costs returns the expected cost of testing the conditions one after the other, and that without each of them.
func (c *candidate) costs(done paid) (whole float64, without []float64) {
	without = make([]float64, len(c.conds))
	for i, n := range slices.Backward(c.conds) { // of those after it, if it comes to them
		without[i] = whole
		whole = n.costAfter(done) + n.pass*whole
	}
	before, reach := 0.0, 1.0
	for i, n := range c.conds {
		without[i] = before + reach*without[i]
		before += reach * n.costAfter(done)
		reach *= n.pass
	}
	return whole, without
}

// chain makes the steps of one rule.
func chain(c candidate) step {
	if len(c.conds) == 0 {
		return step{rules: []int32{c.rule}}
	}
	n := c.conds[0]
	n.uses++
	s := step{cond: n}
	if len(c.conds) == 1 {
		s.rules = []int32{c.rule}
	} else {
		s.next = plan{chain(candidate{c.rule, c.conds[1:]})}
	}
	return s
}

// signature identifies the rules and conditions of a plan, so that event types with the same share it.
func signature(cands []candidate) string {
	var b []byte
	for _, c := range cands {
		b = strconv.AppendInt(append(b, ';'), int64(c.rule), 10)
		for _, n := range c.conds {
			b = strconv.AppendInt(append(b, ','), int64(n.id), 10)
		}
	}
	return string(b)
}
