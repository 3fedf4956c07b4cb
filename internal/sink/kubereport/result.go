package kubereport

import (
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
)

// result is an alert in a report (wgpolicyk8s.io/v1alpha2 and openreports.io/v1alpha1, PolicyReportResult).
type result struct {
	Source      string            `json:"source"`
	Policy      string            `json:"policy"`
	Rule        string            `json:"rule,omitempty"`
	Category    string            `json:"category"`
	Severity    string            `json:"severity"`
	Timestamp   timestamp         `json:"timestamp"`
	Result      string            `json:"result"`
	Resources   []resource        `json:"resources,omitempty"`
	Description string            `json:"message"`
	Properties  map[string]string `json:"properties"`
}

type timestamp struct {
	Seconds int64 `json:"seconds"`
	Nanos   int   `json:"nanos"`
}

// resource is an object that an alert is about.
type resource struct {
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	APIVersion string `json:"apiVersion"`
}

// uuidProperty is the property by which an alert is known that comes again.
const uuidProperty = "falco.uuid"

// limitResult is how many bytes a result may have. The texts of an alert that is larger are cut.
const limitResult = 16 << 10

// severities are those of results, the least severe first.
var severities = [...]string{"info", "low", "medium", "high", "critical"}

// newResult returns the result for an alert, as Falcosidekick makes it.
func newResult(a *alert.Alert) result {
	of := func(a *alert.Alert) result {
		r := result{
			Source: "Falco", Policy: a.Source, Rule: a.Rule, Category: "SI - System and Information Integrity", Severity: severity(a.Priority), Result: outcome(a.Priority),
			Timestamp: timestamp{a.Time.Unix(), a.Time.Nanosecond()}, Description: a.OutputText(), Properties: map[string]string{},
		}
		for _, f := range a.Fields {
			r.Properties[f.Key] = f.Value.String()
		}
		if a.UUID != "" {
			r.Properties[uuidProperty] = message.CutBytes(a.UUID, 256)
		}
		return r
	}
	r := of(message.Fit(a, limitResult, func(a *alert.Alert) int {
		text, _ := httpsink.Encode(of(a)) // texts and numbers can be encoded
		return len(text)
	}))
	r.Resources = subjects(a)
	return r
}

func severity(p alert.Priority) string {
	switch p {
	case alert.Debug, alert.Informational:
		return "info"
	case alert.Notice:
		return "low"
	case alert.Warning:
		return "medium"
	case alert.Error:
		return "high"
	}
	return "critical"
}

func outcome(p alert.Priority) string {
	switch {
	case p >= alert.Notice:
		return "skip"
	case p == alert.Warning:
		return "warn"
	}
	return "fail"
}

// namespace returns the namespace that an alert is about; "" is none. What cannot be one is none: it comes from outside and
// becomes a part of a URL.
func namespace(a *alert.Alert) string {
	ns := field(a, "k8s.ns.name", "ka.target.namespace")
	if len(ns) > 63 || strings.Trim(ns, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return ""
	}
	return ns
}

// field returns the first of the fields that has a value.
func field(a *alert.Alert, keys ...string) string {
	for _, k := range keys {
		for _, f := range a.Fields {
			if text := f.Value.String(); f.Key == k && f.Value.Kind != alert.Null && text != "" && text != "<NA>" {
				return text
			}
		}
	}
	return ""
}

// subjects returns what an alert is about: a pod, or the object of an audit event.
func subjects(a *alert.Alert) []resource {
	ns := field(a, "k8s.ns.name", "ka.target.namespace")
	if pod := field(a, "k8s.pod.name"); pod != "" {
		return []resource{{"Pod", ns, pod, "v1"}}
	}
	name, kind := field(a, "ka.target.name", "ka.resp.name"), kinds()[field(a, "ka.target.resource")]
	if name == "" || kind[0] == "" {
		return nil
	}
	if strings.HasPrefix(kind[0], "Cluster") || kind[0] == "Namespace" {
		ns = ""
	}
	return []resource{{kind[0], ns, name, kind[1]}}
}

// kinds returns kind and version of the resources that rules for the audit log know.
func kinds() map[string][2]string {
	return map[string][2]string{
		"pods":                {"Pod", "v1"},
		"services":            {"Service", "v1"},
		"secrets":             {"Secret", "v1"},
		"configmaps":          {"ConfigMap", "v1"},
		"namespaces":          {"Namespace", "v1"},
		"serviceaccounts":     {"ServiceAccount", "v1"},
		"daemonsets":          {"DaemonSet", "apps/v1"},
		"deployments":         {"Deployment", "apps/v1"},
		"statefulsets":        {"StatefulSet", "apps/v1"},
		"cronjobs":            {"CronJob", "batch/v1"},
		"jobs":                {"Job", "batch/v1"},
		"clusterroles":        {"ClusterRole", "rbac.authorization.k8s.io/v1"},
		"clusterrolebindings": {"ClusterRoleBinding", "rbac.authorization.k8s.io/v1"},
		"roles":               {"Role", "rbac.authorization.k8s.io/v1"},
		"rolebindings":        {"RoleBinding", "rbac.authorization.k8s.io/v1"},
	}
}
