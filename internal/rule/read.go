package rule

import (
	"slices"
	"strings"

	"github.com/saker-sec/saker/internal/filter"
)

const (
	appendDeprecated = "'append' key is deprecated. Add an 'append' entry (e.g. 'condition: append') under 'override' instead."
	enableDeprecated = "The standalone 'enabled' key usage is deprecated. The correct approach requires also a 'replace' " +
		"entry under the 'override' key (i.e. 'enabled: replace')."
	overrideAndAppend = "Keys 'override' and 'append: true' cannot be used together. Add an 'append' entry (e.g. " +
		"'condition: append') under 'override' instead."
)

// read reads all documents of a file.
func (r *reader) read(docs []*node) error {
	for _, doc := range docs {
		switch doc.kind {
		case nullNode:
			continue
		case scalarNode:
			return fault(ErrYAMLValidate, r.file, "Rules content is not yaml")
		case mappingNode:
			return fault(ErrYAMLValidate, r.file, "Rules content is not yaml array of objects")
		}
		for _, item := range doc.kids {
			if item.kind == nullNode {
				continue
			}
			if err := r.item(item); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) item(item *node) error {
	if item.kind != mappingNode {
		return fault(ErrYAMLValidate, r.file.in(kindContentItem, "", item.at),
			"Unexpected element type. Each element should be a yaml associative array.")
	}
	switch {
	case item.get("required_engine_version") != nil:
		return r.engineVersion(item)
	case item.get("required_plugin_versions") != nil:
		return r.pluginVersions(item)
	case item.get("list") != nil:
		return r.list(item)
	case item.get("macro") != nil:
		return r.macro(item)
	case item.get("rule") != nil:
		return r.rule(item)
	}
	r.res.warn(UnknownItem, "Unknown top level item", r.file.in(kindContentItem, "", item.at))
	return nil
}

// warnUnknownKeys warns of the keys of an item that mean nothing.
func (r *reader) warnUnknownKeys(item *node, known []string, ctx *context) error {
	for _, k := range item.keys {
		key, err := anyString(k, ctx)
		if err != nil {
			return err
		}
		if !slices.Contains(known, key) {
			r.res.warn(UnknownKey, "Unknown key '"+key+"'. The key will be ignored.", ctx)
		}
	}
	return nil
}

func (r *reader) engineVersion(item *node) error {
	const key = "required_engine_version"
	ctx := r.file.in(kindEngineVersion, "", item.at)
	var s string
	if err := stringValue(item, key, required, ctx, &s); err != nil {
		return err
	}
	v := version{}
	if minor, ok := parseUint(s); ok {
		v.minor = minor
	} else if v, ok = parseVersion(s); !ok {
		return fault(ErrYAMLValidate, ctx,
			"Unable to parse engine version '%s' as a semver string. Expected \"x.y.z\" semver format.", s)
	}
	if err := r.items.requireEngine(v, ctx); err != nil {
		return err
	}
	return r.warnUnknownKeys(item, []string{key}, ctx)
}

func (r *reader) pluginVersions(item *node) error {
	const key = "required_plugin_versions"
	v := item.get(key)
	ctx := r.file.in(kindPlugins, "", v.at)
	if v.kind != sequenceNode {
		return fault(ErrYAMLValidate, ctx, "Value of required_plugin_versions must be a sequence")
	}
	for _, k := range v.kids {
		if err := r.pluginVersion(k, ctx); err != nil {
			return err
		}
	}
	return r.warnUnknownKeys(item, []string{key}, r.file.in(kindPlugins, "", item.at))
}

func (r *reader) pluginVersion(k *node, parent *context) error {
	p, ctx, err := plugin(k, kindPluginEntry, "Plugin version must be a mapping", parent)
	if err != nil {
		return err
	}
	alternatives := []Plugin{p}
	if alts := k.get("alternatives"); alts != nil {
		if alts.kind != sequenceNode {
			return fault(ErrYAMLValidate, ctx, "Value of plugin version alternatives must be a sequence")
		}
		for _, a := range alts.kids {
			p, _, err := plugin(a, kindPluginAlt, "Plugin version alternative must be a mapping", ctx)
			if err != nil {
				return err
			}
			alternatives = append(alternatives, p)
		}
	}
	return r.items.requirePlugins(alternatives, ctx)
}

func plugin(k *node, kind itemKind, notMapping string, parent *context) (Plugin, *context, error) {
	var p Plugin
	ctx := parent.in(kind, "", k.at)
	if k.kind != mappingNode {
		return p, ctx, fault(ErrYAMLValidate, ctx, "%s", notMapping)
	}
	if err := stringValue(k, "name", required, ctx, &p.Name); err != nil {
		return p, ctx, err
	}
	ctx = parent.in(kind, p.Name, k.at)
	return p, ctx, stringValue(k, "version", required, ctx, &p.Version)
}

// appends reads the append key and the override key of a list or macro, whose one key is key.
func (r *reader) appends(item *node, key string, ctx *context) (bool, error) {
	var flag bool
	if err := boolValue(item, "append", optional, ctx, &flag); err != nil {
		return false, err
	}
	if flag {
		r.res.warn(DeprecatedItem, appendDeprecated, ctx)
	}
	o, err := readOverrides(item, []string{key}, []string{key}, ctx)
	if err != nil {
		return false, err
	}
	if flag && o.any() {
		return false, fault(ErrYAMLValidate, ctx, "%s", overrideAndAppend)
	}
	return flag || o.appended[key], nil
}

func (r *reader) list(item *node) error {
	l := listItem{ctx: r.file.in(kindList, "", item.at)}
	if err := stringValue(item, "list", required, l.ctx, &l.name); err != nil {
		return err
	}
	l.ctx = r.file.in(kindList, l.name, item.at)
	if !filter.IsBare(l.name) {
		r.res.warn(InvalidListName, "List has an invalid name. List names should match a regular expression: "+
			`([^()"'[:space:]=,]+)`, l.ctx)
	}
	var err error
	if l.items, err = stringSequence(item, "items", required, l.ctx); err != nil {
		return err
	}
	appended, err := r.appends(item, "items", l.ctx)
	if err != nil {
		return err
	}
	if !appended {
		r.items.defineList(l)
	} else if err := r.items.appendList(l); err != nil {
		return err
	}
	return r.warnUnknownKeys(item, []string{"list", "items", "append", "override"}, l.ctx)
}

func (r *reader) macro(item *node) error {
	m := macroItem{ctx: r.file.in(kindMacro, "", item.at)}
	if err := stringValue(item, "macro", required, m.ctx, &m.name); err != nil {
		return err
	}
	m.ctx = r.file.in(kindMacro, m.name, item.at)
	if !filter.IsIdentifier(m.name) {
		r.res.warn(InvalidMacroName, "Macro has an invalid name. Macro names should match a regular expression: "+
			"([a-zA-Z]+[a-zA-Z0-9_]*)", m.ctx)
	}
	var cond string
	if err := stringValue(item, "condition", required, m.ctx, &cond); err != nil {
		return err
	}
	m.cond = []byte(cond)
	m.condCtx = m.ctx.in(kindMacroCond, "", item.get("condition").at)
	appended, err := r.appends(item, "condition", m.ctx)
	if err != nil {
		return err
	}
	if !appended {
		r.items.defineMacro(m)
	} else if err := r.items.appendMacro(m); err != nil {
		return err
	}
	return r.warnUnknownKeys(item, []string{"macro", "condition", "append", "override"}, m.ctx)
}

// The keys of rules, by what an override may do with them.
var (
	ruleAppendable  = []string{"condition", "output", "desc", "tags", "exceptions"}
	ruleReplaceable = []string{
		"condition", "output", "desc", "priority", "capture", "capture_duration", "tags",
		"exceptions", "enabled", "warn_evttypes", "skip-if-unknown-filter",
	}
	ruleKeys = append([]string{"rule", "source", "override", "append"}, ruleReplaceable...)
)

func (r *reader) rule(item *node) error {
	var name, source string
	if err := stringValue(item, "rule", required, r.file.in(kindRule, "", item.at), &name); err != nil {
		return err
	}
	ctx := r.file.in(kindRule, name, item.at)
	if err := stringValue(item, "source", optionalEmpty, ctx, &source); err != nil {
		return err
	}
	var flag bool
	if err := boolValue(item, "append", optional, ctx, &flag); err != nil {
		return err
	}
	if flag {
		r.res.warn(DeprecatedItem, appendDeprecated, ctx)
	}
	o, err := readOverrides(item, ruleAppendable, ruleReplaceable, ctx)
	if err != nil {
		return err
	}
	switch {
	case flag && o.any():
		err = fault(ErrYAMLValidate, ctx, "%s", overrideAndAppend)
	case o.any():
		err = r.overrideRule(item, name, source, o, ctx)
	case flag:
		err = r.appendRule(item, name, source, ctx)
	case item.get("condition") == nil && item.get("output") == nil && item.get("desc") == nil && item.get("priority") == nil:
		err = r.enableRule(item, name, ctx)
	default:
		err = r.defineRule(item, name, ctx)
	}
	if err != nil {
		return err
	}
	return r.warnUnknownKeys(item, ruleKeys, ctx)
}

func (r *reader) enableRule(item *node, name string, ctx *context) error {
	var enabled bool
	if err := boolValue(item, "enabled", required, ctx, &enabled); err != nil {
		return err
	}
	r.res.warn(DeprecatedItem, enableDeprecated, ctx)
	return r.items.enableRule(name, enabled, ctx)
}

func (r *reader) appendRule(item *node, name, source string, ctx *context) error {
	u := update{name: name, source: source, ctx: ctx}
	if item.get("condition") != nil {
		u.cond = new(string)
		if err := stringValue(item, "condition", required, ctx, u.cond); err != nil {
			return err
		}
	}
	if item.get("exceptions") != nil {
		ex, err := r.exceptions(item, true, ctx)
		if err != nil {
			return err
		}
		u.exceptions = &ex
	}
	return r.items.appendRule(u, r.checks)
}

func (r *reader) defineRule(item *node, name string, ctx *context) error {
	v := ruleItem{name: name, source: "syscall", enabled: true, warnEvttypes: true, ctx: ctx}
	var cond, output, desc string
	if err := stringValue(item, "condition", required, ctx, &cond); err != nil {
		return err
	}
	v.condCtx = ctx.in(kindRuleCond, "", item.get("condition").at)
	if err := stringValue(item, "output", required, ctx, &output); err != nil {
		return err
	}
	v.outputCtx = ctx.in(kindRuleOutput, "", item.get("output").at)
	if err := stringValue(item, "desc", required, ctx, &desc); err != nil {
		return err
	}
	v.cond, v.desc, v.output = []byte(cond), []byte(desc), []byte(strings.Trim(output, " \t\n\r\f\v"))
	if err := priorityValue(item, ctx, &v.priority); err != nil {
		return err
	}
	if err := stringValue(item, "source", optional, ctx, &v.source); err != nil {
		return err
	}
	for _, b := range []struct {
		key string
		to  *bool
	}{{"enabled", &v.enabled}, {"capture", &v.capture}} {
		if err := boolValue(item, b.key, optional, ctx, b.to); err != nil {
			return err
		}
	}
	if err := uintValue(item, "capture_duration", optional, ctx, &v.captureDuration); err != nil {
		return err
	}
	if err := boolValue(item, "warn_evttypes", optional, ctx, &v.warnEvttypes); err != nil {
		return err
	}
	if err := boolValue(item, "skip-if-unknown-filter", optional, ctx, &v.skipUnknown); err != nil {
		return err
	}
	var err error
	if v.tags, err = tags(item, ctx); err != nil {
		return err
	}
	if v.exceptions, err = r.exceptions(item, false, ctx); err != nil {
		return err
	}
	return r.items.defineRule(v, r.checks)
}
