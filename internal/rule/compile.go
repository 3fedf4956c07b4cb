package rule

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/saker-sec/saker/internal/filter"
)

// compiled is what items mean: references resolved, everything checked.
type compiled struct {
	lists  *lists
	macros []*macro
	rules  []*Rule
}

// compiler compiles everything that was loaded so far.
type compiler struct {
	items  *items
	checks *checks
	res    *Result
	config *Config
	out    compiled

	resolver  resolver
	textLeft  int
	nodesLeft int
}

// compile reports what is wrong to the result; the first error ends it.
func (c *compiler) compile() error {
	c.textLeft, c.nodesLeft = maxTotalText, maxTotalNodes
	var err error
	if c.out.lists, err = compileLists(&c.items.lists, &c.textLeft); err != nil {
		return err
	}
	if err := c.compileMacros(); err != nil {
		return err
	}
	for _, r := range c.items.rules.all {
		if r.unknownSource {
			continue
		}
		if err := c.compileRule(r); err != nil {
			return err
		}
	}
	for _, m := range c.out.macros {
		if !m.used {
			c.res.warn(UnusedMacro, "Macro not referred to by any other rule/macro", m.item.ctx)
		}
	}
	for i, l := range c.out.lists.all {
		if !l.used {
			c.res.warn(UnusedList, "List not referred to by any other rule/macro", c.items.lists.all[i].ctx)
		}
	}
	return nil
}

func (c *compiler) compileMacros() error {
	c.resolver.macros = make(map[string]*macro, len(c.items.macros.all))
	for _, m := range c.items.macros.all {
		e, err := c.parse(string(m.cond), m.condCtx)
		if err != nil {
			return err
		}
		cm := &macro{item: m, expr: e, nodes: countNodes(e)}
		c.out.macros = append(c.out.macros, cm)
		c.resolver.macros[m.name] = cm
	}
	for _, m := range c.out.macros {
		e, nodes, err := c.resolver.resolve(m.expr, m.item.visibility, string(m.item.cond), m.item.ctx)
		if err != nil {
			return err
		}
		if err := c.spend(nodes, m.item.ctx); err != nil {
			return err
		}
		m.expr, m.nodes, m.resolved = e, nodes, true
	}
	return nil
}

// spend counts the nodes of a resolved condition.
func (c *compiler) spend(nodes int, ctx *context) error {
	if c.nodesLeft -= nodes; c.nodesLeft < 0 {
		return fault(ErrValidate, ctx,
			"the conditions of all files have more than %d terms once their macros are resolved", maxTotalNodes)
	}
	return nil
}

// parse substitutes the lists in a condition and parses it.
func (c *compiler) parse(condition string, ctx *context) (filter.Expr, error) {
	limit := min(maxText, c.textLeft)
	resolved, ok := c.out.lists.resolve(condition, limit)
	if !ok {
		return nil, tooLong(ctx, limit)
	}
	c.textLeft -= len(resolved)
	e, err := filter.Parse(resolved)
	var syntax *filter.SyntaxError
	if errors.As(err, &syntax) {
		return nil, fault(ErrCompileCondition, ctx.inCondition(syntax.At, resolved), "%s", syntax.Message)
	}
	return e, err
}

func (c *compiler) compileRule(r *ruleItem) error {
	condition, exceptionFields, err := withExceptions(string(r.cond), r.exceptions, maxText)
	if err != nil {
		return err
	}
	rule := &Rule{
		Name: r.name, Desc: string(r.desc), Condition: string(r.cond), Priority: r.priority, Source: r.source,
		Tags: r.tags, Capture: r.capture, CaptureDuration: r.captureDuration, WarnEvttypes: r.warnEvttypes,
		SkipUnknown: r.skipUnknown, ExceptionFields: exceptionFields, Index: r.index,
		File: r.ctx.name, Line: r.ctx.at.line + 1,
		Enabled: r.enabled && r.priority <= c.config.MinPriority,
	}
	c.extend(rule, r)
	if ok, err := c.checkOutput(rule, r); !ok {
		return err
	}
	verdict, ok, err := c.compileCondition(rule, r, condition)
	if !ok {
		return err
	}
	if r.source == "syscall" && r.warnEvttypes && (verdict.EventTypes == 0 || verdict.EventTypes > maxEventTypes) {
		c.res.warn(NoEvttype,
			"Rule matches too many evt.type values. This has a significant performance penalty.", r.ctx)
	}
	c.out.rules = append(c.out.rules, rule)
	return nil
}

// maxEventTypes is how many event types a condition may hold for without a warning; one that can hold for none has it too.
const maxEventTypes = 100

// containerInfo is a placeholder of old rules that stands for nothing any more.
const containerInfo = "%container.info"

// extend sets the output of a rule and what the configuration adds to it.
func (c *compiler) extend(rule *Rule, r *ruleItem) {
	rule.Output = string(r.output)
	extra := map[string]ExtraField{}
	for _, a := range c.config.Append {
		if !a.applies(r) {
			continue
		}
		if a.Format != "" {
			rule.Output += " " + a.Format
		}
		for _, f := range a.Fields {
			extra[f.Key] = f
		}
	}
	for _, key := range slices.Sorted(maps.Keys(extra)) {
		rule.Extra = append(rule.Extra, extra[key])
	}
	if strings.Contains(rule.Output, containerInfo) {
		c.res.warn(DeprecatedItem, "%container.info is deprecated and no more useful, and will be dropped by Falco 1.0.0. "+
			"The container plugin will automatically add required fields to the output message.", r.ctx)
		rule.Output = strings.ReplaceAll(rule.Output, containerInfo, "")
	}
}

// checkOutput reports whether the rule can be kept.
func (c *compiler) checkOutput(rule *Rule, r *ruleItem) (bool, error) {
	if err := c.checks.checker.Output(r.source, rule.Output); err != nil {
		if isUnknown(err) && r.skipUnknown {
			c.res.warn(UnknownFilter, err.Error(), r.outputCtx)
			return false, nil
		}
		return false, fault(ErrCompileOutput, r.outputCtx, "%s", err)
	}
	c.warnDeprecatedOutput(rule.Output, r.outputCtx)
	for _, f := range rule.Extra {
		if err := c.checks.checker.Output(r.source, f.Format); err != nil {
			return false, fault(ErrCompileOutput, r.outputCtx, "%s", err)
		}
		c.warnDeprecatedOutput(f.Format, r.outputCtx)
	}
	return true, nil
}

func (c *compiler) warnDeprecatedOutput(output string, ctx *context) {
	for _, f := range deprecatedFields {
		if strings.Contains(output, f.name) {
			c.res.warnDeprecated(f.name,
				"usage of deprecated field '"+f.name+"' has been detected in the rule output", ctx)
		}
	}
}

// compileCondition parses, resolves and checks the condition, and reports whether the rule can be kept.
func (c *compiler) compileCondition(rule *Rule, r *ruleItem, condition string) (Verdict, bool, error) {
	e, err := c.parse(condition, r.condCtx)
	if err != nil {
		return Verdict{}, false, err
	}
	e, nodes, err := c.resolver.resolve(e, everything, condition, r.ctx)
	if err != nil {
		return Verdict{}, false, err
	}
	if err := c.spend(nodes, r.ctx); err != nil {
		return Verdict{}, false, err
	}
	rule.Expr = e
	c.warnCondition(e, r.condCtx.inCondition(filter.Pos{}, condition))
	verdict, err := c.checks.checker.Condition(r.source, e)
	if err != nil {
		var check *CheckError
		if !errors.As(err, &check) {
			return Verdict{}, false, fault(ErrCompileCondition, r.condCtx, "%s", err)
		}
		ctx := r.condCtx.inCondition(check.At, condition)
		if check.Unknown && r.skipUnknown {
			c.res.warn(UnknownFilter, check.Message, ctx)
			return Verdict{}, false, nil
		}
		return Verdict{}, false, fault(ErrCompileCondition, ctx, "%s", check.Message)
	}
	for _, w := range verdict.Warnings {
		c.res.warn(CompileCondition, w.Message, r.condCtx.inCondition(w.At, condition))
	}
	return verdict, true, nil
}

// warnCondition warns of comparisons with <NA> and of deprecated fields.
func (c *compiler) warnCondition(e filter.Expr, ctx *context) {
	unsafe := false
	deprecated := make([]bool, len(deprecatedFields))
	filter.Walk(e, func(e filter.Expr) {
		check, ok := e.(*filter.Check)
		if !ok {
			return
		}
		unsafe = unsafe || isUnsafeNA(check)
		eachField(check.Left, func(name string) {
			for i, f := range deprecatedFields {
				deprecated[i] = deprecated[i] || f.name == name
			}
		})
	})
	if unsafe {
		c.res.warn(UnsafeNACheck, "", ctx)
	}
	for i, f := range deprecatedFields {
		if deprecated[i] {
			c.res.warnDeprecated(f.name, f.desc, ctx)
		}
	}
}

// isUnsafeNA reports whether a field of the Kubernetes audit log is compared with <NA>.
func isUnsafeNA(c *filter.Check) bool {
	if c.Mod != filter.ModNone {
		return false
	}
	switch c.Op {
	case filter.Eq, filter.EqEq, filter.Ne, filter.In, filter.Intersects, filter.PMatch:
	default:
		return false
	}
	unsafe := false
	eachField(c.Left, func(name string) {
		unsafe = strings.HasPrefix(name, "ka.") || strings.HasPrefix(name, "jevt.")
	})
	return unsafe && slices.Contains(c.Right.Values, "<NA>")
}

// eachField calls visit for the fields of an operand, lists among the arguments of transformers left out, as in Falco.
func eachField(o filter.Operand, visit func(name string)) {
	switch o.Kind {
	case filter.FieldOperand:
		visit(o.Name)
	case filter.TransformOperand:
		for _, a := range o.Args {
			eachField(a, visit)
		}
	}
}
