package ruleset

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/saker-sec/saker/internal/match"
)

// kind says what a node is.
type kind uint8

const (
	always kind = iota // holds for every event
	never
	leaf   // the check holds
	negate // the check does not hold
	and
	or
)

// node is a condition or a part of one, as it stands for one event type. Negation stands at the checks only, which is
// sound because a check is either true or false, never unknown. Nodes with the same meaning are the same node.
type node struct {
	kind  kind
	id    int
	check *match.Check
	kids  []*node // in the order of evaluation
	cost  float64 // ns, estimated, without reads
	reads []read  // by slot
	pass  float64 // how often it holds, estimated
	slot  int     // of the memo, -1 when its result is not remembered
	uses  int     // how many nodes and plans refer to it

	index int            // shared by the checks in asks; 0 is none
	asks  []*match.Check // of which one must hold for the node to hold
}

// read is a value that is extracted once per event.
type read struct {
	slot int
	cost float64 // ns, times how often the node gets as far as reading it
}

// paid is the set of slots that are read already.
type paid match.Bits

// graph makes nodes, each once.
type graph struct {
	nodes map[string]*node
	slots map[*match.Check]*node // the positive leaf of a check
	count int
	yes   *node
	no    *node
}

func newGraph() *graph {
	return &graph{
		nodes: make(map[string]*node),
		slots: make(map[*match.Check]*node),
		yes:   &node{kind: always, id: 0, pass: 1, slot: -1},
		no:    &node{kind: never, id: 1, slot: -1},
		count: 2,
	}
}

func (g *graph) intern(n *node, key []byte) *node {
	if old, ok := g.nodes[string(key)]; ok {
		return old
	}
	if n.kind == and || n.kind == or {
		n.order()
		n.guard()
	}
	n.id, n.slot = g.count, -1
	g.count++
	g.nodes[string(key)] = n
	for _, k := range n.kids {
		k.uses++
	}
	return n
}

// leaf returns the node of a check or of its negation.
func (g *graph) leaf(c *match.Check, negated bool) *node {
	key := append([]byte{byte(leaf)}, c.Key...)
	n := &node{kind: leaf, check: c, cost: float64(c.Cost) + 1, pass: c.Pass}
	if negated {
		key[0] = byte(negate)
		n.kind, n.pass = negate, 1-c.Pass
	}
	for _, r := range c.Reads {
		n.reads = addRead(n.reads, read{r.Slot, float64(r.Cost)})
	}
	if n.index = c.Index(); n.index != 0 {
		n.asks = []*match.Check{c}
	}
	return g.intern(n, key)
}

// all returns the conjunction of nodes, any their disjunction.
func (g *graph) all(kids []*node) *node { return g.combine(and, kids) }

func (g *graph) any(kids []*node) *node {
	if common, rest := g.factor(kids); len(common) > 0 {
		return g.all(append(common, g.any(rest)))
	}
	return g.combine(or, kids)
}

func (g *graph) combine(k kind, in []*node) *node {
	unit, zero := g.yes, g.no
	if k == or {
		unit, zero = zero, unit
	}
	var kids []*node
	for _, n := range in {
		if n.kind == k {
			kids = append(kids, n.kids...)
			continue
		}
		if n == zero {
			return zero
		}
		if n != unit {
			kids = append(kids, n)
		}
	}
	slices.SortFunc(kids, func(a, b *node) int { return a.id - b.id })
	kids = slices.Compact(kids)
	if opposed(kids) {
		return zero
	}
	switch len(kids) {
	case 0:
		return unit
	case 1:
		return kids[0]
	}
	key := []byte{byte(k)}
	for _, n := range kids {
		key = binary.AppendUvarint(key, uint64(n.id))
	}
	return g.intern(&node{kind: k, kids: kids}, key)
}

// opposed reports whether a check and its negation are among the nodes.
func opposed(kids []*node) bool {
	seen := make(map[*match.Check]kind)
	for _, n := range kids {
		if n.kind != leaf && n.kind != negate {
			continue
		}
		if k, ok := seen[n.check]; ok && k != n.kind {
			return true
		}
		seen[n.check] = n.kind
	}
	return false
}

// order puts the kids into the order that decides soonest, taking them as independent, and estimates the whole.
func (n *node) order() {
	n.kids = arrange(n.kids, n.kind, nil)
	if n.kind == or {
		n.kids = together(n.kids)
	}
	reach := 1.0 // how often the evaluation gets as far as the kid
	n.cost = 1
	for i, k := range n.kids {
		if n.kind == or && i > 0 && k.shares(n.kids[i-1]) {
			n.cost += reach * k.pass * k.cost // one guard is for all of them
		} else {
			n.cost += reach * k.cost
		}
		for _, r := range k.reads {
			n.reads = addRead(n.reads, read{r.slot, reach * r.cost})
		}
		reach *= k.goesOn(n.kind)
	}
	n.pass = reach
	if n.kind == or {
		n.pass = 1 - reach
	}
}

// guard finds checks with an index of which one must hold for the node to hold.
func (n *node) guard() {
	best := n.kids[0]
	var asks []*match.Check
	for _, k := range n.kids {
		if n.kind == or && (!k.guarded() || k.index != best.index) {
			return
		}
		if k.guarded() && (!best.guarded() || k.pass < best.pass) {
			best = k
		}
		asks = append(asks, k.asks...)
	}
	if !best.guarded() {
		return
	}
	if n.kind == and {
		asks = best.asks
	}
	n.index, n.asks = best.index, asks
}

// guarded reports whether the node cannot hold where a guard is down.
func (n *node) guarded() bool { return n.index != 0 && n.kind != negate }

// shares reports whether one guard can be for both nodes.
func (n *node) shares(o *node) bool { return n.guarded() && o.guarded() && n.index == o.index }

// together returns the kids of a disjunction so that those with one index follow each other.
func together(kids []*node) []*node {
	var groups [][]*node
	of := map[int]int{} // groups by index
	for _, k := range kids {
		at, known := of[k.index]
		if !known || !k.guarded() {
			at = len(groups)
			groups = append(groups, nil)
		}
		if k.guarded() {
			of[k.index] = at
		}
		groups[at] = append(groups[at], k)
	}
	return slices.Concat(groups...)
}

// arrange returns nodes in the order in which a conjunction or disjunction of them decides soonest, when what is paid is
// read already. What one node reads makes the others that read it cheaper.
func arrange(nodes []*node, in kind, done paid) []*node {
	rest := slices.Clone(nodes)
	done = slices.Clone(done)
	for from := 0; from < len(rest); {
		slices.SortStableFunc(rest[from:], func(a, b *node) int {
			return cmp.Or(cmp.Compare(a.rank(in, done), b.rank(in, done)), a.id-b.id)
		})
		for fresh := false; from < len(rest) && !fresh; from++ {
			fresh = done.pay(rest[from])
		}
	}
	return rest
}

// rank is the cost per decision: what a conjunction pays until a kid fails, or a disjunction until one holds.
func (n *node) rank(in kind, done paid) float64 {
	return n.costAfter(done) / max(1-n.goesOn(in), 0.001)
}

// goesOn is how often a conjunction or disjunction with n in it is not decided by n.
func (n *node) goesOn(in kind) float64 {
	if in == and {
		return n.pass
	}
	return 1 - n.pass
}

// costAfter is the cost of a node when some values are read already.
func (n *node) costAfter(done paid) float64 {
	cost := n.cost
	for _, r := range n.reads {
		if !match.Bits(done).Has(r.slot) {
			cost += r.cost
		}
	}
	return cost
}

// pay adds what a node reads and reports whether any of it is new.
func (p *paid) pay(n *node) bool {
	fresh := false
	for _, r := range n.reads {
		for r.slot>>6 >= len(*p) {
			*p = append(*p, 0)
		}
		if b := match.Bits(*p); !b.Has(r.slot) {
			b.Add(r.slot)
			fresh = true
		}
	}
	return fresh
}

// addRead adds to the cost of reading a slot, which is at most that of one extraction.
func addRead(reads []read, r read) []read {
	for i := range reads {
		if reads[i].slot == r.slot {
			reads[i].cost = max(reads[i].cost, r.cost)
			return reads
		}
	}
	return append(reads, r)
}

// conjuncts returns the parts that must all hold.
func (n *node) conjuncts() []*node {
	switch n.kind {
	case and:
		return n.kids
	case always:
		return nil
	}
	return []*node{n}
}

// factor takes the conjuncts that all kids of a disjunction have in common out of them.
func (g *graph) factor(kids []*node) (common, rest []*node) {
	if len(kids) < 2 {
		return nil, nil
	}
	shared := make(map[*node]int)
	for _, k := range kids {
		if k.kind == never {
			continue
		}
		for _, c := range k.conjuncts() {
			shared[c]++
		}
	}
	live := 0
	for _, k := range kids {
		if k.kind != never {
			live++
		}
	}
	if live < 2 {
		return nil, nil
	}
	for _, c := range kids[0].conjuncts() {
		if shared[c] == live && kids[0].kind != never {
			common = append(common, c)
		}
	}
	if len(common) == 0 {
		return nil, nil
	}
	for _, k := range kids {
		if k.kind == never {
			continue
		}
		var left []*node
		for _, c := range k.conjuncts() {
			if !slices.Contains(common, c) {
				left = append(left, c)
			}
		}
		rest = append(rest, g.all(left))
	}
	return common, rest
}
