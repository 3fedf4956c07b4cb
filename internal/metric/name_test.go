package metric

import (
	"regexp"
	"testing"
)

func TestNames(t *testing.T) {
	for _, c := range []struct{ in, rule, metric, label string }{
		{"Read sensitive file untrusted", "Read_sensitive_file_untrusted", "Read_sensitive_file_untrusted", "Read_sensitive_file_untrusted"},
		{"falco_rules.local.yaml", "falco_rules_local_yaml", "falco_rules_local_yaml", "falco_rules_local_yaml"},
		{"a -- b (c)", "a_b_c", "a_b_c_", "a_b_c_"},
		{"a:b", "a:b", "a:b", "a_b"},
		{"été", "_t", "_t_", "_t_"},
		{"1x", "1x", "_1x", "_1x"},
		{":x", ":x", ":x", "_x"},
		{"", "", "_", "_"},
		{"___", "", "_", "_"},
	} {
		if got := SanitizeRule(c.in); got != c.rule {
			t.Errorf("SanitizeRule(%q) is %q, want %q", c.in, got, c.rule)
		}
		if got := SanitizeMetric(c.in); got != c.metric {
			t.Errorf("SanitizeMetric(%q) is %q, want %q", c.in, got, c.metric)
		}
		if got := SanitizeLabel(c.in); got != c.label {
			t.Errorf("SanitizeLabel(%q) is %q, want %q", c.in, got, c.label)
		}
	}
}

func TestWithoutUnit(t *testing.T) {
	for in, want := range map[string]string{
		"memory_rss_kb": "memory_rss", "n_drops_buffer_total": "n_drops_buffer", "reload_ts": "reload", "duration_sec": "duration",
		"cpu_usage_perc": "cpu_usage", "cpu_usage_percentage": "cpu_usage", "run_time_ns": "run_time", "n_evts": "n_evts",
		"a_kb_b": "a_b", "container_memory_used_bytes": "container_memory_used", "x_mbps": "xps", "falcosecurity": "falcosecurity",
	} {
		if got := withoutUnit(in); got != want {
			t.Errorf("withoutUnit(%q) is %q, want %q", in, got, want)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"", "Terminal shell", "é", "\xff", "1:a__", "_"} {
		f.Add(s)
	}
	rule := regexp.MustCompile(`^[a-zA-Z0-9_:]*$`)
	f.Fuzz(func(t *testing.T, s string) {
		if got := SanitizeRule(s); !rule.MatchString(got) {
			t.Errorf("SanitizeRule(%q) is %q", s, got)
		}
		if got := SanitizeMetric(s); metricName.FindString(got) != got || got == "" || SanitizeMetric(got) != got {
			t.Errorf("SanitizeMetric(%q) is %q", s, got)
		}
		if got := SanitizeLabel(s); labelName.FindString(got) != got || got == "" || SanitizeLabel(got) != got {
			t.Errorf("SanitizeLabel(%q) is %q", s, got)
		}
	})
}
