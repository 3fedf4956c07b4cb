// Package openreports adds alerts to the reports of OpenReports, which succeed those of the Policy Working Group (openreports.io/v1alpha1: Report and
// ClusterReport), as kubereport describes it. Their custom resource definitions must be installed.
package openreports

import "github.com/saker-sec/saker/internal/sink/kubereport"

// Config is the destination's configuration.
type Config = kubereport.Config

// New returns a sink. It fails when no API server is configured.
func New(cfg Config) (*kubereport.Sink, error) {
	return kubereport.New(cfg, kubereport.Kind{
		Name: "openreports", Group: "openreports.io/v1alpha1", Report: "Report", ClusterReport: "ClusterReport", Path: "reports", ClusterPath: "clusterreports",
	})
}
