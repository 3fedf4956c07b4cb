package metric

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/saker-sec/saker/internal/alert"
)

// series is one line of the text format.
type series struct {
	name   string
	labels map[string]string
	value  string
}

// parse reads the text format strictly, as Prometheus describes it: HELP and TYPE once and before the series of each name,
// series of a name together and none twice, names and escapes as allowed, a line feed at the end.
func parse(text string) ([]series, error) {
	if text != "" && !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("the last line has no line feed")
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("the text is not valid UTF-8")
	}
	var out []series
	kinds, helped, seen := map[string]string{}, map[string]bool{}, map[string]bool{}
	current := ""
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		fail := func(format string, args ...any) ([]series, error) {
			return nil, fmt.Errorf("line %d: %s: %s", i+1, fmt.Sprintf(format, args...), line)
		}
		switch f := strings.SplitN(line, " ", 4); {
		case line == "":
		case len(f) == 4 && f[0] == "#" && f[1] == "HELP":
			if helped[f[2]] || f[3] == "" {
				return fail("a second or empty HELP")
			}
			helped[f[2]], current = true, f[2]
		case len(f) == 4 && f[0] == "#" && f[1] == "TYPE":
			if kinds[f[2]] != "" || current != f[2] || (f[3] != "counter" && f[3] != "gauge") {
				return fail("a second TYPE, one without HELP, or an unknown one")
			}
			kinds[f[2]] = f[3]
		default:
			s, err := parseSeries(line)
			if err != nil {
				return fail("%v", err)
			}
			if s.name != current || kinds[s.name] == "" {
				return fail("a series that does not follow its TYPE")
			}
			key := s.name + fmt.Sprint(s.labels)
			if seen[key] {
				return fail("a series that came before")
			}
			seen[key] = true
			out = append(out, s)
		}
	}
	return out, nil
}

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`)
	labelName  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*`)
)

func parseSeries(line string) (series, error) {
	s := series{name: metricName.FindString(line), labels: map[string]string{}}
	rest := line[len(s.name):]
	if s.name == "" {
		return s, fmt.Errorf("no name")
	}
	if body, ok := strings.CutPrefix(rest, "{"); ok {
		for {
			name := labelName.FindString(body)
			if _, ok := s.labels[name]; ok || name == "" {
				return s, fmt.Errorf("label %q is bad or comes twice", name)
			}
			value, after, err := parseValue(body[len(name):])
			if err != nil {
				return s, err
			}
			s.labels[name] = value
			if body, ok = strings.CutPrefix(after, ","); !ok {
				if rest, ok = strings.CutPrefix(after, "}"); !ok {
					return s, fmt.Errorf("labels do not end")
				}
				break
			}
		}
	}
	value, ok := strings.CutPrefix(rest, " ")
	if _, err := strconv.ParseFloat(value, 64); err != nil || !ok {
		return s, fmt.Errorf("value %q", rest)
	}
	s.value = value
	return s, nil
}

// parseValue reads ="…" with its escapes.
func parseValue(s string) (value, rest string, err error) {
	if !strings.HasPrefix(s, `="`) {
		return "", "", fmt.Errorf("no value after a label's name")
	}
	var out []byte
	for i := 2; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return string(out), s[i+1:], nil
		case s[i] != '\\':
			out = append(out, s[i])
		case i+1 < len(s) && (s[i+1] == '\\' || s[i+1] == '"'):
			i++
			out = append(out, s[i])
		case i+1 < len(s) && s[i+1] == 'n':
			i++
			out = append(out, '\n')
		default:
			return "", "", fmt.Errorf("a bad escape in a label's value")
		}
	}
	return "", "", fmt.Errorf("a label's value does not end")
}

func TestParserIsStrict(t *testing.T) {
	head := "# HELP a b\n# TYPE a counter\n"
	for _, bad := range []string{
		"a 1\n", head + "a 1", head + "a 1\na 1\n", head + head + "a 1\n", head + "b 1\n", head + "a{x=\"1\",x=\"2\"} 1\n", head + "a{} 1\n",
		head + "a{x=\"\\q\"} 1\n", head + "a{x=\"1} 1\n", head + "a x\n", "# TYPE a counter\na 1\n", head + "1a 1\n", head + "a{x=\"1\"}1\n",
	} {
		if _, err := parse(bad); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
	if got, err := parse(head + "a{x=\"1\\n\\\\\\\"\",y=\"\"} 1.5\n"); err != nil || got[0].labels["x"] != "1\n\\\"" {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestPrometheusText reads what we write for all combinations of groups.
func TestPrometheusText(t *testing.T) {
	for bits := range 1 << 8 {
		o := Options{
			Rules: bits&1 != 0, Resources: bits&2 != 0, State: bits&4 != 0, Kernel: bits&8 != 0, KernelPerCPU: bits&16 != 0,
			LibBPF: bits&32 != 0, Plugins: bits&64 != 0, Memory: bits&128 != 0,
		}
		if _, err := parse(string(AppendPrometheus(nil, full(20), o))); err != nil {
			t.Fatalf("with %+v: %v", o, err)
		}
	}
}

// TestFalcoSeries holds names, labels and values that dashboards made for Falco read (falco-core.md §2.8).
func TestFalcoSeries(t *testing.T) {
	got, err := parse(string(AppendPrometheus(nil, full(20), everything())))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, s := range got {
		values[s.name+string(appendLabels(nil, labelsOf(s)))] = s.value
	}
	for name, want := range map[string]string{
		`falcosecurity_falco_version_info{version="0.44.1"}`:                                                                 "1",
		`falcosecurity_falco_sha256_config_files_info{file_name="falco.yaml",sha256="f97de5fa"}`:                             "1",
		`falcosecurity_falco_sha256_rules_files_info{file_name="my-rules (2).yaml",sha256="00aa"}`:                           "1",
		`falcosecurity_scap_engine_name_info{engine_name="modern_bpf",evt_source="syscall"}`:                                 "1",
		`falcosecurity_scap_engine_name_info{engine_name="source_plugin",evt_source="k8s_audit"}`:                            "1",
		`falcosecurity_falco_kernel_release_info{kernel_release="6.1.0-13-amd64"}`:                                           "1",
		`falcosecurity_evt_hostname_info{hostname="node-1"}`:                                                                 "1",
		`falcosecurity_falco_outputs_queue_num_drops_total`:                                                                  "5",
		`falcosecurity_falco_reload_timestamp_nanoseconds`:                                                                   "1700000001000000123",
		`falcosecurity_falco_start_timestamp_nanoseconds`:                                                                    "1700000000000000123",
		`falcosecurity_falco_host_boot_timestamp_nanoseconds`:                                                                "1699000000000000000",
		`falcosecurity_falco_duration_seconds_total`:                                                                         "20",
		`falcosecurity_falco_host_num_cpus_total`:                                                                            "2",
		`falcosecurity_falco_cpu_usage_ratio`:                                                                                "0.015000",
		`falcosecurity_falco_memory_rss_bytes`:                                                                               "20971520.000000",
		`falcosecurity_falco_memory_vsz_bytes`:                                                                               "2147483648.000000",
		`falcosecurity_falco_memory_pss_bytes`:                                                                               "19968000.000000",
		`falcosecurity_falco_container_memory_used_bytes`:                                                                    "31457280.000000",
		`falcosecurity_falco_host_cpu_usage_ratio`:                                                                           "0.123000",
		`falcosecurity_falco_host_memory_used_bytes`:                                                                         "8589934592.000000",
		`falcosecurity_falco_host_procs_running_total`:                                                                       "3",
		`falcosecurity_falco_host_open_fds_total`:                                                                            "1234",
		`falcosecurity_scap_n_evts_total`:                                                                                    "40000",
		`falcosecurity_scap_n_drops_total`:                                                                                   "400",
		`falcosecurity_scap_n_drops_scratch_map_total`:                                                                       "9",
		`falcosecurity_scap_n_drops_buffer_total{dir="exit",drop="clone_fork"}`:                                              "1",
		`falcosecurity_scap_n_drops_buffer_total{dir="exit",drop="proc"}`:                                                    "8",
		`falcosecurity_scap_n_drops_buffer_total{dir="enter",drop="dir_file"}`:                                               "0",
		`falcosecurity_scap_n_evts_cpu_total{cpu="1"}`:                                                                       "10000",
		`falcosecurity_scap_n_drops_cpu_total{cpu="0"}`:                                                                      "400",
		`falcosecurity_scap_sys_exit_run_cnt_total`:                                                                          "1000",
		`falcosecurity_scap_sys_exit_run_time_nanoseconds_total`:                                                             "5000000",
		`falcosecurity_scap_sys_exit_avg_time_nanoseconds`:                                                                   "5000",
		`falcosecurity_scap_n_threads_total`:                                                                                 "300",
		`falcosecurity_scap_n_fds_total`:                                                                                     "4000",
		`falcosecurity_scap_n_store_evts_drops_total`:                                                                        "13",
		`falcosecurity_scap_n_drops_full_threadtable_total`:                                                                  "6",
		`falcosecurity_plugins_container_n_containers_total`:                                                                 "7",
		`falcosecurity_plugins_k8saudit_queue_total`:                                                                         "1.500000",
		`falcosecurity_plugins_k8saudit_balance_total`:                                                                       "-3",
		`falcosecurity_falco_rules_matches_total{priority="4",rule_name="Read \"sensitive\" file\\ (été)",source="syscall"}`: "4",
		`falcosecurity_falco_rules_matches_total{priority="5",rule_name="Terminal shell in container",source="syscall",tag_T1059="true",tag_container="true",tag_mitre_execution="true"}`: "2",
		`falcosecurity_saker_output_dropped_total{output="http"}`: "5",
		`falcosecurity_saker_healthy`:                             "1",
	} {
		if values[name] != want {
			t.Errorf("%s is %q, want %q", name, values[name], want)
		}
	}
	for name := range values {
		if strings.Contains(name, `rule_name="Never"`) || strings.HasPrefix(name, "falcosecurity_scap_n_drops_buffer_total_") {
			t.Errorf("%s is there", name)
		}
	}
}

func labelsOf(s series) []label {
	var out []label
	for name, value := range s.labels {
		out = append(out, label{name, value})
	}
	return out
}

// FuzzExposition puts hostile names everywhere where they come from outside.
func FuzzExposition(f *testing.F) {
	f.Add("Terminal shell", "tag", "file.yaml")
	f.Add("a\"b\\c\nd", "0é", "")
	f.Add("\xff\x00", "__", "_kb_ts_sec")
	f.Fuzz(func(t *testing.T, rule, tag, name string) {
		s := full(20)
		s.Loop.Rules = []Rule{{rule, name, alert.Error, []string{tag, rule, "priority"}, 1}, {rule, name, alert.Error, []string{tag}, 2}}
		s.Sources[0].Plugins = []Plugin{{name, rule, false, uinteger(1)}, {rule, name, true, float(2)}}
		s.Sources[0].Kernel.Programs = []Program{{name, 1, 2}, {rule, 1, 2}}
		s.Rules = []FileHash{{name, rule}}
		s.Outputs = []Output{{Name: rule}, {Name: rule}}
		s.Host.Name, s.Host.KernelRelease = rule, name
		series, err := parse(string(AppendPrometheus(nil, s, everything())))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range series {
			if x.name == "falcosecurity_evt_hostname_info" && x.labels["hostname"] != strings.ToValidUTF8(rule, "\uFFFD") {
				t.Errorf("label reads back as %q, want %q", x.labels["hostname"], rule)
			}
		}
	})
}
