package rule

import (
	"maps"
	"slices"

	"github.com/saker-sec/saker/internal/alert"
)

// overriding reads the keys of a rule that its override key names, each of which must be there, and checks them off.
type overriding struct {
	r       *reader
	item    *node
	ctx     *context
	present map[string]bool // keys of the item that an override could name and none has so far
}

// overrideRule applies first what is appended, then what is replaced.
func (r *reader) overrideRule(item *node, name, source string, o overrides, ctx *context) error {
	v := overriding{r, item, ctx, map[string]bool{}}
	for _, key := range ruleReplaceable { // holds all that can be appended to
		if item.get(key) != nil {
			v.present[key] = true
		}
	}
	if len(o.appended) > 0 {
		u := update{name: name, ctx: ctx}
		if err := v.read(&u, source, "append", o.appended); err != nil {
			return err
		}
		if err := r.items.appendRule(u, r.checks); err != nil {
			return err
		}
	}
	if len(o.replaced) > 0 {
		u := update{name: name, ctx: ctx}
		if err := v.read(&u, source, "replace", o.replaced); err != nil {
			return err
		}
		if err := r.items.replaceInRule(u, r.checks); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(v.present)) {
		return fault(ErrYAMLValidate, ctx.in(kindOverrides, key, item.get(key).at),
			"Unexpected key '%s': no corresponding entry under 'override' is defined.", key)
	}
	return nil
}

// take reports whether the key is overridden, and checks it off; it is an error if the item does not have it.
func (v *overriding) take(key, operation string, keys map[string]bool) (bool, error) {
	if !keys[key] {
		return false, nil
	}
	if !v.present[key] {
		return false, fault(ErrYAMLValidate, v.ctx, "An %s override for '%s' was specified but '%s' is not defined",
			operation, key, key)
	}
	delete(v.present, key)
	return true, nil
}

// read fills the update with the overridden keys, in the order in which Falco looks for them.
func (v *overriding) read(u *update, source, operation string, keys map[string]bool) error {
	if keys["condition"] {
		u.source = source
	}
	readers := []struct {
		key  string
		read func() error
	}{
		{"condition", v.string("condition", &u.cond)},
		{"exceptions", func() error {
			ex, err := v.r.exceptions(v.item, operation == "append", v.ctx)
			u.exceptions = &ex
			return err
		}},
		{"output", v.string("output", &u.output)},
		{"desc", v.string("desc", &u.desc)},
		{"tags", func() error {
			t, err := tags(v.item, v.ctx)
			u.tags = &t
			return err
		}},
		{"priority", func() error {
			u.priority = new(alert.Priority)
			return priorityValue(v.item, v.ctx, u.priority)
		}},
		{"capture", v.bool("capture", &u.capture)},
		{"capture_duration", func() error {
			u.captureDuration = new(uint32)
			return uintValue(v.item, "capture_duration", required, v.ctx, u.captureDuration)
		}},
		{"enabled", v.bool("enabled", &u.enabled)},
		{"warn_evttypes", v.bool("warn_evttypes", &u.warnEvttypes)},
		{"skip-if-unknown-filter", v.bool("skip-if-unknown-filter", &u.skipUnknown)},
	}
	for _, k := range readers {
		ok, err := v.take(k.key, operation, keys)
		if ok && err == nil {
			err = k.read()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *overriding) string(key string, to **string) func() error {
	return func() error {
		*to = new(string)
		return stringValue(v.item, key, required, v.ctx, *to)
	}
}

func (v *overriding) bool(key string, to **bool) func() error {
	return func() error {
		*to = new(bool)
		return boolValue(v.item, key, required, v.ctx, *to)
	}
}
