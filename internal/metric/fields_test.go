package metric

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// keys returns the keys of the fields for the system call source.
func keys(t *testing.T, s *Snapshot, o Options) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, f := range Alerts(nil, s, o)[0].Fields {
		if out[f.Key] {
			t.Errorf("field %s comes twice", f.Key)
		}
		out[f.Key] = true
	}
	return out
}

// TestGroups switches one group on at a time and wants what falco-core.md §2.8 lists for it, and nothing else.
func TestGroups(t *testing.T) {
	none := keys(t, full(10), Options{})
	for _, c := range []struct {
		group string
		o     Options
		want  string
	}{
		{"rules", Options{Rules: true}, "falco.rules.Read_sensitive_file:_t falco.rules.Read_sensitive_file_t falco.rules.Terminal_shell_in_container falco.rules.matches_total"},
		{"resources", Options{Resources: true}, "falco.container_memory_used_bytes falco.cpu_usage_perc falco.host_cpu_usage_perc falco.host_memory_used_kb " +
			"falco.host_open_fds falco.host_procs_running falco.memory_pss_kb falco.memory_rss_kb falco.memory_vsz_kb"},
		{"resources in MB", Options{Resources: true, ConvertToMB: true}, "falco.container_memory_used_mb falco.cpu_usage_perc falco.host_cpu_usage_perc " +
			"falco.host_memory_used_mb falco.host_open_fds falco.host_procs_running falco.memory_pss_mb falco.memory_rss_mb falco.memory_vsz_mb"},
		{"state", Options{State: true}, "falco.n_added_fds falco.n_added_threads falco.n_cached_thread_lookups falco.n_drops_full_threadtable " +
			"falco.n_failed_fd_lookups falco.n_failed_thread_lookups falco.n_fds falco.n_noncached_fd_lookups falco.n_noncached_thread_lookups " +
			"falco.n_removed_fds falco.n_removed_threads falco.n_retrieve_evts_drops falco.n_retrieved_evts falco.n_store_evts_drops " +
			"falco.n_stored_evts falco.n_threads"},
		{"kernel", Options{Kernel: true, IncludeEmpty: true}, "scap.evts_drop_rate_sec scap.evts_rate_sec scap.n_drops scap.n_drops_buffer_clone_fork_exit " +
			"scap.n_drops_buffer_close_exit scap.n_drops_buffer_connect_enter scap.n_drops_buffer_connect_exit scap.n_drops_buffer_dir_file_exit " +
			"scap.n_drops_buffer_execve_exit scap.n_drops_buffer_open_enter scap.n_drops_buffer_open_exit scap.n_drops_buffer_other_interest_exit " +
			"scap.n_drops_buffer_proc_exit scap.n_drops_buffer_total scap.n_drops_prev scap.n_drops_scratch_map scap.n_evts scap.n_evts_prev"},
		{"per CPU without kernel", Options{KernelPerCPU: true}, ""},
		{"libbpf", Options{LibBPF: true}, "scap.sys_exit.avg_time_ns scap.sys_exit.run_cnt scap.sys_exit.run_time_ns"},
		{"plugins", Options{Plugins: true}, "plugins.container.n_containers"},
		{"memory", Options{Memory: true}, ""},
	} {
		got := keys(t, full(10), c.o)
		maps.DeleteFunc(got, func(k string, _ bool) bool { return none[k] })
		if list := strings.Join(slices.Sorted(maps.Keys(got)), " "); list != c.want {
			t.Errorf("%s adds\n%s\nwant\n%s", c.group, list, c.want)
		}
	}
	perCPU := keys(t, full(10), Options{Kernel: true, KernelPerCPU: true})
	if !perCPU["scap.n_evts_cpu_1"] || perCPU["scap.n_drops_cpu_1"] {
		t.Error("per CPU: an event counter lacks, or a zero is there")
	}
}

// TestAlways wants what every snapshot has.
func TestAlways(t *testing.T) {
	got := keys(t, full(10), Options{})
	for _, k := range strings.Fields("evt.time evt.hostname evt.source falco.version falco.reload_ts falco.start_ts falco.duration_sec " +
		"falco.kernel_release falco.host_boot_ts falco.host_num_cpus falco.outputs_queue_num_drops falco.sha256_rules_file.falco_rules_yaml " +
		"falco.sha256_config_file.falco_yaml falco.host_netinfo.interfaces.eth0.protocols.ipv4.addresses scap.engine_name falco.num_evts " +
		"falco.num_evts_prev scap.n_drops_perc") {
		if !got[k] {
			t.Errorf("%s lacks", k)
		}
	}
}

// TestUncounted says nothing about BPF programs when the kernel does not count their runs.
func TestUncounted(t *testing.T) {
	s := full(10)
	s.Sources[0].Kernel.Programs = []Program{{"sys_exit", 0, 0}}
	for k := range keys(t, s, Options{LibBPF: true, IncludeEmpty: true}) {
		if strings.HasPrefix(k, "scap.sys_exit") {
			t.Errorf("%s is there", k)
		}
	}
}

// TestSameRuleNames counts rules together whose names become the same.
func TestSameRuleNames(t *testing.T) {
	l := Loop{Rules: []Rule{{Name: "a b", Matches: 2}, {Name: "a-b", Matches: 3}}}
	f := l.ruleFields(false)
	if len(f) != 2 || f[1].Key != "falco.rules.a_b" || f[1].Value.Num != 5 {
		t.Errorf("got %+v", f)
	}
}
