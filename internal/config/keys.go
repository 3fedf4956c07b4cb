package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// key is a configuration key.
type key struct {
	name string // dotted path
	variable
}

// variable is how the value of a key gets into a Config and out of it, and what it may be.
type variable struct {
	set    func(*Config, *yaml.Node) error
	get    func(*Config) any
	schema map[string]any // of JSON
}

// keys lists every key. A new key is one line here and a member of Config.
func keys() []key {
	return []key{
		{"rules_files", texts(func(c *Config) *[]string { return &c.RulesFiles })},
		{"rules_file", texts(func(c *Config) *[]string { return &c.RulesFiles })},
		{"rules", variable{setSelections, printSelections, selectionsSchema()}},
		{"engine.kind", text(func(c *Config) *string { return &c.Engine.Kind }, "modern_ebpf", "replay", "nodriver", "kmod")},
		{"engine.modern_ebpf.cpus_for_each_buffer", number(func(c *Config) *int { return &c.Engine.CPUsPerBuffer }, 0, 1<<16)},
		{"engine.modern_ebpf.buf_size_preset", number(func(c *Config) *int { return &c.Engine.BufferPreset }, 1, 10)},
		{"engine.modern_ebpf.drop_failed_exit", truth(func(c *Config) *bool { return &c.Engine.DropFailed })},
		{"engine.modern_ebpf.disable_iterators", truth(func(c *Config) *bool { return &c.Engine.NoIterators })},
		{"engine.kmod.buf_size_preset", number(func(c *Config) *int { return &c.Engine.KmodPreset }, 1, 10)},
		{"engine.kmod.drop_failed_exit", truth(func(c *Config) *bool { return &c.Engine.KmodDropFailed })},
		{"engine.replay.capture_file", text(func(c *Config) *string { return &c.Engine.ReplayFile })},
		{"time_format_iso_8601", truth(func(c *Config) *bool { return &c.TimeISO8601 })},
		{"buffer_format_base64", truth(func(c *Config) *bool { return &c.BufferBase64 })},
		{"priority", text(func(c *Config) *string { return &c.Priority })},
		{"json_output", truth(func(c *Config) *bool { return &c.JSONOutput })},
		{"json_include_output_property", truth(func(c *Config) *bool { return &c.JSONOutputText })},
		{"json_include_tags_property", truth(func(c *Config) *bool { return &c.JSONTags })},
		{"json_include_message_property", truth(func(c *Config) *bool { return &c.JSONMessage })},
		{"json_include_output_fields_property", truth(func(c *Config) *bool { return &c.JSONOutputFields })},
		{"buffered_outputs", truth(func(c *Config) *bool { return &c.BufferedOutputs })},
		{"rule_matching", text(func(c *Config) *string { return &c.RuleMatching })},
		{"append_output", variable{setAppendOutput, printAppendOutput, appendOutputSchema()}},
		{"stdout_output.enabled", truth(func(c *Config) *bool { return &c.StdoutEnabled })},
		{"static_fields", variable{setStaticFields, printStaticFields, map[string]any{"type": "object"}}},
		{"plugins", variable{setPlugins, printPlugins, pluginsSchema()}},
		{"load_plugins", variable{setLoadPlugins, func(c *Config) any { return c.LoadPlugins }, listSchema("string")}},
		{"plugins_hostinfo", truth(func(c *Config) *bool { return &c.PluginsHostInfo })},
		{"watch_config_files", truth(func(c *Config) *bool { return &c.WatchFiles })},
		{"log_stderr", truth(func(c *Config) *bool { return &c.Log.Stderr })},
		{"log_syslog", truth(func(c *Config) *bool { return &c.Log.Syslog })},
		{"log_level", text(func(c *Config) *string { return &c.Log.Level }, "emergency", "alert", "critical", "error", "warning", "notice", "info", "informational", "debug")},
		{"libs_logger.enabled", truth(func(c *Config) *bool { return &c.LibsLog.Enabled })},
		{"libs_logger.severity", text(func(c *Config) *string { return &c.LibsLog.Severity })},
		{"outputs_queue.capacity", number(func(c *Config) *int { return &c.Outputs.QueueCapacity }, 0, 1<<30)},
		{"output_timeout", millis(func(c *Config) *time.Duration { return &c.Outputs.Timeout })},
		{"syslog_output.enabled", truth(func(c *Config) *bool { return &c.Outputs.Syslog })},
		{"file_output.enabled", truth(func(c *Config) *bool { return &c.Outputs.File.Enabled })},
		{"file_output.keep_alive", truth(func(c *Config) *bool { return &c.Outputs.File.KeepAlive })},
		{"file_output.filename", text(func(c *Config) *string { return &c.Outputs.File.Filename })},
		{"program_output.enabled", truth(func(c *Config) *bool { return &c.Outputs.Program.Enabled })},
		{"program_output.keep_alive", truth(func(c *Config) *bool { return &c.Outputs.Program.KeepAlive })},
		{"program_output.program", text(func(c *Config) *string { return &c.Outputs.Program.Program })},
		{"http_output.enabled", truth(func(c *Config) *bool { return &c.Outputs.HTTP.Enabled })},
		{"http_output.url", text(func(c *Config) *string { return &c.Outputs.HTTP.URL })},
		{"http_output.user_agent", text(func(c *Config) *string { return &c.Outputs.HTTP.UserAgent })},
		{"http_output.insecure", truth(func(c *Config) *bool { return &c.Outputs.HTTP.Insecure })},
		{"http_output.ca_cert", text(func(c *Config) *string { return &c.Outputs.HTTP.CACert })},
		{"http_output.ca_bundle", text(func(c *Config) *string { return &c.Outputs.HTTP.CABundle })},
		{"http_output.ca_path", text(func(c *Config) *string { return &c.Outputs.HTTP.CAPath })},
		{"http_output.mtls", truth(func(c *Config) *bool { return &c.Outputs.HTTP.MTLS })},
		{"http_output.client_cert", text(func(c *Config) *string { return &c.Outputs.HTTP.ClientCert })},
		{"http_output.client_key", text(func(c *Config) *string { return &c.Outputs.HTTP.ClientKey })},
		{"http_output.echo", truth(func(c *Config) *bool { return &c.Outputs.HTTP.Echo })},
		{"http_output.compress_uploads", truth(func(c *Config) *bool { return &c.Outputs.HTTP.Compress })},
		{"http_output.keep_alive", truth(func(c *Config) *bool { return &c.Outputs.HTTP.KeepAlive })},
		{"http_output.max_consecutive_timeouts", number(func(c *Config) *int { return &c.Outputs.HTTP.MaxConsecutiveTimeouts }, 0, 255)},
		{"forward", variable{setForward, forwardKeys, map[string]any{"type": "object"}}},
		{"capture.enabled", truth(func(c *Config) *bool { return &c.Capture.Enabled })},
		{"capture.path_prefix", text(func(c *Config) *string { return &c.Capture.PathPrefix })},
		{"capture.mode", text(func(c *Config) *string { return &c.Capture.Mode }, "rules", "all_rules")},
		{"capture.default_duration", millis(func(c *Config) *time.Duration { return &c.Capture.DefaultDuration })},
		{"capture.max_file_size_mb", number(func(c *Config) *int { return &c.Capture.MaxFileSizeMB }, 0, 1048576)},
		{"capture.pre_trigger.duration", millis(func(c *Config) *time.Duration { return &c.Capture.PreTrigger })},
		{"capture.pre_trigger.max_size_mb", number(func(c *Config) *int { return &c.Capture.PreTriggerMB }, 1, 65536)},
		{"containers.alert_hold", millis(func(c *Config) *time.Duration { return &c.AlertHold })},
		{"webserver.enabled", truth(func(c *Config) *bool { return &c.Webserver.Enabled })},
		{"webserver.threadiness", number(func(c *Config) *int { return &c.Webserver.Threadiness }, 0, 1<<16)},
		{"webserver.listen_port", number(func(c *Config) *int { return &c.Webserver.ListenPort }, 1, 65535)},
		{"webserver.listen_address", address(func(c *Config) *string { return &c.Webserver.ListenAddress })},
		{"webserver.k8s_healthz_endpoint", text(func(c *Config) *string { return &c.Webserver.HealthzPath })},
		{"webserver.prometheus_metrics_enabled", truth(func(c *Config) *bool { return &c.Webserver.Prometheus })},
		{"webserver.ssl_enabled", truth(func(c *Config) *bool { return &c.Webserver.SSL })},
		{"webserver.ssl_certificate", text(func(c *Config) *string { return &c.Webserver.SSLCertificate })},
		{"metrics.enabled", truth(func(c *Config) *bool { return &c.Metrics.Enabled })},
		{"metrics.interval", interval(func(c *Config) *time.Duration { return &c.Metrics.Interval })},
		{"metrics.output_rule", truth(func(c *Config) *bool { return &c.Metrics.OutputRule })},
		{"metrics.output_file", text(func(c *Config) *string { return &c.Metrics.OutputFile })},
		{"metrics.rules_counters_enabled", truth(func(c *Config) *bool { return &c.Metrics.Rules })},
		{"metrics.resource_utilization_enabled", truth(func(c *Config) *bool { return &c.Metrics.Resources })},
		{"metrics.state_counters_enabled", truth(func(c *Config) *bool { return &c.Metrics.State })},
		{"metrics.kernel_event_counters_enabled", truth(func(c *Config) *bool { return &c.Metrics.Kernel })},
		{"metrics.kernel_event_counters_per_cpu_enabled", truth(func(c *Config) *bool { return &c.Metrics.KernelPerCPU })},
		{"metrics.libbpf_stats_enabled", truth(func(c *Config) *bool { return &c.Metrics.LibBPF })},
		{"metrics.plugins_metrics_enabled", truth(func(c *Config) *bool { return &c.Metrics.Plugins })},
		{"metrics.kernel_iter_event_counters_enabled", truth(func(c *Config) *bool { return &c.Metrics.KernelIter })},
		{"metrics.jemalloc_stats_enabled", truth(func(c *Config) *bool { return &c.Metrics.Jemalloc })},
		{"metrics.convert_memory_to_mb", truth(func(c *Config) *bool { return &c.Metrics.ConvertToMB })},
		{"metrics.include_empty_values", truth(func(c *Config) *bool { return &c.Metrics.IncludeEmpty })},
		{"syscall_event_timeouts.max_consecutives", number(func(c *Config) *int { return &c.MaxTimeouts }, 1, 1<<31-1)},
		{"syscall_event_drops.threshold", fraction(func(c *Config) *float64 { return &c.Drops.Threshold })},
		{"syscall_event_drops.rate", fraction(func(c *Config) *float64 { return &c.Drops.Rate })},
		{"syscall_event_drops.max_burst", fraction(func(c *Config) *float64 { return &c.Drops.MaxBurst })},
		{"syscall_event_drops.simulate_drops", truth(func(c *Config) *bool { return &c.Drops.Simulate })},
		{"syscall_event_drops.actions", texts(func(c *Config) *[]string { return &c.Drops.Actions })},
		{"base_syscalls.custom_set", texts(func(c *Config) *[]string { return &c.BaseSyscalls.Custom })},
		{"base_syscalls.repair", truth(func(c *Config) *bool { return &c.BaseSyscalls.Repair })},
		{"base_syscalls.all", truth(func(c *Config) *bool { return &c.BaseSyscalls.All })},
		{"falco_libs.thread_table_size", number(func(c *Config) *int { return &c.Libs.ThreadTableSize }, 0, 1<<24)},
		{"falco_libs.thread_table_auto_purging_interval_s", number(func(c *Config) *int { return &c.Libs.PurgeInterval }, 1, 1<<30)},
		{"falco_libs.thread_table_auto_purging_thread_timeout_s", number(func(c *Config) *int { return &c.Libs.ThreadTimeout }, 1, 1<<30)},
		{"falco_libs.snaplen", number(func(c *Config) *int { return &c.Libs.SnapLen }, 0, 65000)},
	}
}

// otherKeys returns the keys that are read before the others and have no member of Config.
func otherKeys() []string { return []string{"config_files"} }

// decode fills c from the document.
func (c *Config) decode(d *document) error {
	known := keys()
	if old := d.lookup("rules_file"); old != nil {
		at := Origin{d.origins[old], old.Line}
		if d.lookup("rules_files") != nil {
			return fmt.Errorf("%s: rules_file and rules_files are both set: the first is the old name of the second", at)
		}
		c.Warnings = append(c.Warnings, fmt.Sprintf("%s: rules_file is deprecated, use rules_files", at))
	}
	if err := c.decodeKeys(d, known, "", d.root.Content); err != nil {
		return err
	}
	return c.check()
}

// decodeKeys sets what the keys and values of a mapping say. Of a key that is there twice the first one counts, as in Falco.
func (c *Config) decodeKeys(d *document, known []key, prefix string, content []*yaml.Node) error {
	seen := map[string]bool{}
	for i := 0; i+1 < len(content); i += 2 {
		at := content[i]
		path := prefix + at.Value
		if seen[at.Value] {
			c.Warnings = append(c.Warnings, fmt.Sprintf("%s: %s is there already, and the first one counts", Origin{d.origins[at], at.Line}, path))
			continue
		}
		seen[at.Value] = true
		if err := c.decodeKey(d, known, path, at, content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// decodeKey sets what the key at path says, or goes on below it.
func (c *Config) decodeKey(d *document, known []key, path string, at, value *yaml.Node) error {
	origin := func(n *yaml.Node) Origin {
		if d.origins[n] == "-o" || d.origins[n] == "" {
			return Origin{File: "-o " + path}
		}
		return Origin{d.origins[n], n.Line}
	}
	below := false
	for _, k := range known {
		if k.name == path {
			if err := k.set(c, value); err != nil {
				return fmt.Errorf("%s: %s: %w", origin(value), path, err)
			}
			c.origins[path] = origin(value)
			return nil
		}
		below = below || strings.HasPrefix(k.name, path+".")
	}
	switch {
	case slices.Contains(otherKeys(), path):
		return nil
	case !below:
		var names []string
		for _, k := range known {
			names = append(names, k.name)
		}
		w := fmt.Sprintf("%s: unknown key %s", origin(at), path)
		if n := nearest(path, append(names, otherKeys()...)); n != "" {
			w += "; did you mean " + n + "?"
		}
		c.Warnings = append(c.Warnings, w)
		return nil
	case value.Kind != yaml.MappingNode:
		if value.Tag == "!!null" {
			return nil
		}
		return fmt.Errorf("%s: %s: expected keys and values", origin(value), path)
	}
	return c.decodeKeys(d, known, path+".", value.Content)
}

// check refuses values that do not go together.
func (c *Config) check() error {
	if c.RuleMatching != "first" && c.RuleMatching != "all" {
		return fmt.Errorf("Unknown rule matching strategy %q: possible are first and all", c.RuleMatching)
	}
	for _, a := range c.Drops.Actions {
		if !slices.Contains([]string{"ignore", "log", "alert", "exit"}, a) {
			return fmt.Errorf("syscall_event_drops.actions: available actions are ignore, log, alert and exit, not %q", a)
		}
	}
	if i := slices.Index(c.Drops.Actions, "ignore"); i >= 0 {
		for _, a := range c.Drops.Actions[i:] { // what stands before it, and exit, Falco lets pass
			if a == "log" || a == "alert" {
				return fmt.Errorf(`syscall_event_drops.actions: syscall event drop action %q does not make sense with the "ignore" action`, a)
			}
		}
	}
	if err := c.checkMetrics(); err != nil {
		return err
	}
	if !slices.Contains(sinspSeverities(), c.LibsLog.Severity) && c.LibsLog.Enabled {
		return fmt.Errorf("libs_logger.severity: %q is not possible; one of %s is", c.LibsLog.Severity, strings.Join(sinspSeverities(), ", "))
	}
	if c.Drops.Threshold < 0 || c.Drops.Threshold > 1 {
		return fmt.Errorf("syscall_event_drops.threshold: syscall event drops threshold must be a double in the range [0, 1], not %v", c.Drops.Threshold)
	}
	if c.Engine.Kind == "replay" && c.Engine.ReplayFile == "" {
		return fmt.Errorf("engine.kind is 'replay' but no engine.replay.capture_file specified")
	}
	o := &c.Outputs
	for _, d := range []struct {
		enabled  bool
		key      string
		required string
		value    string
	}{
		{o.File.Enabled, "file_output", "filename", o.File.Filename},
		{o.Program.Enabled, "program_output", "program", o.Program.Program},
		{o.HTTP.Enabled, "http_output", "url", o.HTTP.URL},
	} {
		if d.enabled && d.value == "" {
			return fmt.Errorf("%s is enabled but no %s.%s specified", d.key, d.key, d.required)
		}
	}
	return nil
}

// checkMetrics says what is wrong with metrics that are enabled.
func (c *Config) checkMetrics() error {
	m := &c.Metrics
	switch {
	case !m.Enabled:
		return nil
	case c.wrongInterval != nil:
		return fmt.Errorf("%s: metrics.interval: %w", c.origins["metrics.interval"], c.wrongInterval)
	case !m.OutputRule && m.OutputFile == "" && !c.Webserver.Prometheus:
		return fmt.Errorf("Metrics are enabled with no output configured. Please enable at least one output channel " +
			"('metrics.output_rule', 'metrics.output_file' or 'webserver.prometheus_metrics_enabled')")
	}
	return nil
}

// sinspSeverities are the values of libs_logger.severity, which matter where it is enabled.
func sinspSeverities() []string {
	return []string{"fatal", "critical", "error", "warning", "notice", "info", "debug", "trace"}
}

func text(at func(*Config) *string, allowed ...string) variable {
	set := func(c *Config, n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode {
			return fmt.Errorf("expected text")
		}
		if len(allowed) > 0 && !slices.Contains(allowed, n.Value) {
			return fmt.Errorf("%q is not possible; one of %s is", n.Value, strings.Join(allowed, ", "))
		}
		*at(c) = n.Value
		return nil
	}
	return variable{set, func(c *Config) any { return *at(c) }, textSchema(allowed)}
}

func texts(at func(*Config) *[]string) variable {
	set := func(c *Config, n *yaml.Node) error {
		if n.Tag == "!!null" {
			*at(c) = nil
			return nil
		}
		if n.Kind == yaml.ScalarNode {
			*at(c) = []string{n.Value}
			return nil
		}
		list, err := scalars(n)
		if err == nil {
			*at(c) = list
		}
		return err
	}
	return variable{set, func(c *Config) any { return *at(c) }, listSchema("string")}
}

func textSchema(allowed []string) map[string]any {
	if len(allowed) == 0 {
		return map[string]any{"type": "string"}
	}
	return map[string]any{"type": "string", "enum": allowed}
}

func listSchema(of string) map[string]any { return listOf(map[string]any{"type": of}) }

func listOf(item map[string]any) map[string]any {
	return map[string]any{"type": "array", "items": item}
}

func objectOf(properties map[string]any) map[string]any {
	return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
}

func scalars(n *yaml.Node) ([]string, error) {
	if n.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("expected a list of texts")
	}
	list := []string{}
	for _, k := range n.Content {
		if k.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("expected a list of texts")
		}
		list = append(list, k.Value)
	}
	return list, nil
}

// unset reports whether a value is empty, as ${VAR} is without the variable: what cannot be empty keeps its default.
func unset(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Value == "" }

func truth(at func(*Config) *bool) variable {
	set := func(c *Config, n *yaml.Node) (err error) {
		if !unset(n) {
			*at(c), err = parseTruth(n)
		}
		return err
	}
	return variable{set, func(c *Config) any { return *at(c) }, map[string]any{"type": "boolean"}}
}

func parseTruth(n *yaml.Node) (bool, error) {
	switch strings.ToLower(n.Value) {
	case "true", "yes", "on", "y":
		return true, nil
	case "false", "no", "off", "n":
		return false, nil
	}
	return false, fmt.Errorf("expected true or false, not %q", n.Value)
}

func number(at func(*Config) *int, low, high int) variable {
	set := func(c *Config, n *yaml.Node) error {
		if unset(n) {
			return nil
		}
		v, err := strconv.Atoi(n.Value)
		if err != nil || n.Kind != yaml.ScalarNode || v < low || v > high {
			return fmt.Errorf("expected a whole number from %d to %d, not %q", low, high, n.Value)
		}
		*at(c) = v
		return nil
	}
	return variable{set, func(c *Config) any { return *at(c) }, map[string]any{"type": "integer", "minimum": low, "maximum": high}}
}

func fraction(at func(*Config) *float64) variable {
	set := func(c *Config, n *yaml.Node) error {
		if unset(n) {
			return nil
		}
		v, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || n.Kind != yaml.ScalarNode {
			return fmt.Errorf("expected a number, not %q", n.Value)
		}
		*at(c) = v
		return nil
	}
	return variable{set, func(c *Config) any { return *at(c) }, map[string]any{"type": "number"}}
}

// millis reads a number of milliseconds.
func millis(at func(*Config) *time.Duration) variable {
	set := func(c *Config, n *yaml.Node) error {
		if unset(n) {
			return nil
		}
		v, err := strconv.ParseUint(n.Value, 10, 31)
		if err != nil || n.Kind != yaml.ScalarNode {
			return fmt.Errorf("expected a number of milliseconds, not %q", n.Value)
		}
		*at(c) = time.Duration(v) * time.Millisecond
		return nil
	}
	return variable{set, func(c *Config) any { return at(c).Milliseconds() }, map[string]any{"type": "integer", "minimum": 0}}
}

// interval reads metrics.interval. What is wrong with it matters only where there are metrics: Falco's own default is no duration.
func interval(at func(*Config) *time.Duration) variable {
	set := func(c *Config, n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode {
			return fmt.Errorf("expected a duration such as 1h or 30s")
		}
		c.wrongInterval = nil
		if unset(n) {
			return nil
		}
		d, err := duration(n.Value)
		if err != nil {
			c.wrongInterval = err
			return nil
		}
		*at(c) = d
		return nil
	}
	return variable{set, func(c *Config) any { return at(c).String() }, map[string]any{"type": "string"}}
}

// duration reads a Prometheus duration: numbers with the units y w d h m s ms in this order, blanks anywhere, at least 100 ms.
func duration(text string) (time.Duration, error) {
	units := []struct {
		name string
		d    time.Duration
	}{
		{"y", 365 * 24 * time.Hour},
		{"w", 7 * 24 * time.Hour},
		{"d", 24 * time.Hour},
		{"h", time.Hour},
		{"m", time.Minute},
		{"s", time.Second},
		{"ms", time.Millisecond},
	}
	var total time.Duration
	rest, next := strings.Join(strings.Fields(text), ""), 0
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		v, err := strconv.ParseUint(rest[:digits], 10, 31)
		unit := rest[digits:]
		if i := strings.IndexAny(unit, "0123456789"); i >= 0 {
			unit = unit[:i]
		}
		for next < len(units) && units[next].name != unit {
			next++
		}
		if err != nil || next == len(units) {
			return 0, fmt.Errorf("expected a duration such as 1h or 30s, not %q", text)
		}
		total += time.Duration(v) * units[next].d
		rest = rest[digits+len(unit):]
		next++
	}
	if total < 100*time.Millisecond {
		return 0, fmt.Errorf("expected a duration of at least 100ms, not %q", text)
	}
	return total, nil
}

// address reads an IP address.
func address(at func(*Config) *string) variable {
	set := func(c *Config, n *yaml.Node) error {
		if unset(n) {
			return nil
		}
		if _, err := netip.ParseAddr(n.Value); err != nil || n.Kind != yaml.ScalarNode {
			return fmt.Errorf("expected an IPv4 or IPv6 address, not %q", n.Value)
		}
		*at(c) = n.Value
		return nil
	}
	return variable{set, func(c *Config) any { return *at(c) }, map[string]any{"type": "string"}}
}

// setStaticFields reads `static_fields: {key: value}`.
func setStaticFields(c *Config, n *yaml.Node) error {
	c.StaticFields = nil
	if n.Kind != yaml.MappingNode {
		if n.Tag == "!!null" {
			return nil
		}
		return fmt.Errorf("expected keys and values")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		c.StaticFields = append(c.StaticFields, StaticField{n.Content[i].Value, n.Content[i+1].Value})
	}
	return nil
}

func selectionsSchema() map[string]any {
	text := textSchema(nil)
	what := objectOf(map[string]any{"rule": text, "tag": text})
	return listOf(objectOf(map[string]any{"enable": what, "disable": what}))
}

// setSelections reads `rules: [{enable|disable: {rule: pattern, tag: name}}]`.
func setSelections(c *Config, n *yaml.Node) error {
	if n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return fmt.Errorf("expected a list of enable and disable items")
	}
	c.Rules = nil
	for _, item := range n.Content {
		what, enable := child(item, "enable"), true
		if what == nil {
			what, enable = child(item, "disable"), false
		}
		if what == nil {
			return fmt.Errorf("line %d: expected `enable:` or `disable:` with rule or tag below it", item.Line)
		}
		if enable && child(item, "disable") != nil {
			c.Warnings = append(c.Warnings, fmt.Sprintf("rules: line %d: disable has no effect beside enable", item.Line))
		}
		s := Selection{Enable: enable}
		for i := 0; what.Kind == yaml.MappingNode && i+1 < len(what.Content); i += 2 {
			switch what.Content[i].Value {
			case "rule":
				s.Rule = what.Content[i+1].Value
			case "tag":
				s.Tag = what.Content[i+1].Value
			}
		}
		if s.Rule == "" && s.Tag == "" {
			return fmt.Errorf("line %d: expected rule or tag", item.Line)
		}
		c.Rules = append(c.Rules, s)
	}
	return nil
}

func appendOutputSchema() map[string]any {
	text := textSchema(nil)
	format := map[string]any{"type": "object", "additionalProperties": text}
	return listOf(objectOf(map[string]any{
		"match":        objectOf(map[string]any{"source": text, "rule": text, "tags": listOf(text)}),
		"extra_output": text, "extra_fields": listOf(map[string]any{"anyOf": []any{format, text}}), "suggested_output": map[string]any{"type": "boolean"},
	}))
}

// setAppendOutput reads the list of append_output. Something else than a list means none: that is what a test runner's
// `-o append_output.suggested_output=false` relies on (falco-core.md §12, 14).
func setAppendOutput(c *Config, n *yaml.Node) error {
	c.AppendOutput = nil
	if n.Kind != yaml.SequenceNode {
		return nil
	}
	for _, item := range n.Content {
		if item.Kind != yaml.MappingNode {
			return fmt.Errorf("line %d: expected keys and values", item.Line)
		}
		a := AppendOutput{}
		var err error
		for i := 0; i+1 < len(item.Content); i += 2 {
			v := item.Content[i+1]
			switch item.Content[i].Value {
			case "match":
				err = a.match(v)
			case "extra_output":
				a.Extra = v.Value
			case "extra_fields":
				err = a.fields(v)
			case "suggested_output":
				if a.Suggested, err = parseTruth(v); err != nil {
					err = fmt.Errorf("line %d: suggested_output: %w", v.Line, err)
				}
			default:
				w := fmt.Sprintf("append_output: line %d: unknown key %s", item.Content[i].Line, item.Content[i].Value)
				if near := nearest(item.Content[i].Value, []string{"match", "extra_output", "extra_fields", "suggested_output"}); near != "" {
					w += "; did you mean " + near + "?"
				}
				c.Warnings = append(c.Warnings, w)
			}
			if err != nil {
				return err
			}
		}
		c.AppendOutput = append(c.AppendOutput, a)
	}
	return nil
}

func (a *AppendOutput) match(n *yaml.Node) error {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		switch v := n.Content[i+1]; n.Content[i].Value {
		case "source":
			a.Source = v.Value
		case "rule":
			a.Rule = v.Value
		case "tags":
			tags, err := scalars(v)
			if err != nil {
				return fmt.Errorf("line %d: tags: %w", v.Line, err)
			}
			a.Tags = tags
		}
	}
	return nil
}

func (a *AppendOutput) fields(n *yaml.Node) error {
	if n.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: extra_fields: expected a list", n.Line)
	}
	for _, f := range n.Content {
		switch {
		case f.Kind == yaml.ScalarNode:
			a.Fields = append(a.Fields, ExtraField{Key: f.Value})
		case f.Kind == yaml.MappingNode:
			for i := 0; i+1 < len(f.Content); i += 2 {
				a.Fields = append(a.Fields, ExtraField{Key: f.Content[i].Value, Format: f.Content[i+1].Value})
			}
		default:
			return fmt.Errorf("line %d: extra_fields: expected a field, or `name: format`", f.Line)
		}
	}
	first := map[string]string{} // format of each key
	for _, f := range a.Fields {
		if format, seen := first[f.Key]; seen && (f.Format != "" || format != "") {
			return fmt.Errorf("line %d: extra_fields: %s is there twice", n.Line, f.Key)
		}
		first[f.Key] = f.Format
	}
	return nil
}
