// Package policyreport adds alerts to the reports of the Policy Working Group (wgpolicyk8s.io/v1alpha2: PolicyReport and
// ClusterPolicyReport), as kubereport describes it. Their custom resource definitions must be installed.
package policyreport

import "github.com/saker-sec/saker/internal/sink/kubereport"

// Config is the destination's configuration.
type Config = kubereport.Config

// New returns a sink. It fails when no API server is configured.
func New(cfg Config) (*kubereport.Sink, error) {
	return kubereport.New(cfg, kubereport.Kind{
		Name: "policyreport", Group: "wgpolicyk8s.io/v1alpha2", Report: "PolicyReport", ClusterReport: "ClusterPolicyReport", Path: "policyreports", ClusterPath: "clusterpolicyreports",
	})
}
