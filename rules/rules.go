// Package rules holds Saker's own default rules, in Falco's rule language, embedded in the program.
//
// They are used when no rules file is named. docs/rules.md lists them; the test beside this file loads them with the
// real loader and field catalogue, and test/live provokes every one of them on a running machine.
package rules

import _ "embed"

//go:embed saker_rules.yaml
var content string

//go:embed saker_k8s_change_rules.yaml
var k8sChange string

// Default returns the name of the default rules file, as error messages and validation results show it, and a copy of
// its text.
func Default() (name string, text []byte) {
	return "saker_rules.yaml", []byte(content)
}

// K8sChange returns the same of the rules about changes of a Kubernetes cluster, which are used beside the default rules when
// the plugin k8s_change is loaded.
func K8sChange() (name string, text []byte) {
	return "saker_k8s_change_rules.yaml", []byte(k8sChange)
}
