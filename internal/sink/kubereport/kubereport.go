// Package kubereport adds alerts to reports, objects of Kubernetes that dashboards of policies show. Sinks say which kind of
// report: policyreport the older one, openreports its successor. Each namespace has a report of the alerts about it, and all
// other alerts are in the report of the cluster, as Falcosidekick does it.
//
// It differs from Falcosidekick in what is lost or wrong there. Time is the alert's, to the nanosecond. An update that
// meets that of somebody else is made again over theirs. The uuid is among the properties of a result: an alert that comes
// again is there already. Where a namespace is not there, its alerts are in the report of our own. Reports have a bound of
// bytes too, since the API server refuses what is larger than 1.5 MB. Alerts of all sources are taken, not only those of system
// calls and of the Kubernetes audit log.
//
// A report that is full loses its oldest results; with prunebypriority the least severe ones first, which may be the new one.
package kubereport

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/kubeapi"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Kind is a kind of report.
type Kind struct {
	Name          string // of the sink
	Group         string // with its version
	Report        string // kind of the report of a namespace
	ClusterReport string // kind of that of the cluster
	Path          string // of the former in URLs
	ClusterPath   string // of the latter
}

// Config is the destination's configuration.
type Config struct {
	Enabled         bool   // enabled: the destination is off without
	MaxEvents       int    // maxevents: results of a report
	PruneByPriority bool   // prunebypriority: the least severe result goes first when there are too many
	FalcoNamespace  string // falconamespace: whose report gets alerts about namespaces that are not there; "" is our own
	API             kubeapi.Config
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.API.Settings(),
		setting.Switch(&c.Enabled, "add alerts to reports"),
		setting.Int("maxevents", &c.MaxEvents, 1000, 1, "results that a report may have"),
		setting.Bool("prunebypriority", &c.PruneByPriority, false, "when there are more, the least severe one goes first, not the oldest"),
		setting.Text("falconamespace", &c.FalcoNamespace, "", "namespace for alerts about namespaces that are not there, in place of our own"),
	)
}

// Sink adds alerts to reports.
type Sink struct {
	cfg  Config
	kind Kind
	api  *kubeapi.Client
}

// New returns a sink. It fails when no API server is configured.
func New(cfg Config, kind Kind) (*Sink, error) {
	if !cfg.Enabled {
		return nil, fmt.Errorf("%s: it is not enabled", kind.Name)
	}
	api, err := kubeapi.Open(kind.Name, cfg.API)
	if err != nil {
		return nil, err
	}
	if cfg.FalcoNamespace == "" {
		cfg.FalcoNamespace = api.Namespace
	}
	return &Sink{cfg, kind, api}, nil
}

// Send adds an alert to its report.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	if errs := s.SendBatch(ctx, []*alert.Alert{a}); errs != nil {
		return errs[0]
	}
	return nil
}

// SendBatch adds several alerts, with one update of each report. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	var order []string
	groups := map[string][]int{} // alerts by namespace
	for i, a := range alerts {
		ns := namespace(a)
		if groups[ns] == nil {
			order = append(order, ns)
		}
		groups[ns] = append(groups[ns], i)
	}
	var errs []error
	for _, ns := range order {
		var results []result
		for _, i := range groups[ns] {
			results = append(results, newResult(alerts[i]))
		}
		err := s.update(ctx, ns, results)
		if ns != "" && ns != s.cfg.FalcoNamespace && kubeapi.NoNamespace(err) {
			err = s.update(ctx, s.cfg.FalcoNamespace, results)
		}
		if kubeapi.Code(err) == http.StatusNotFound || kubeapi.NoNamespace(err) {
			err = httpsink.Passing(err) // our namespace, or the definitions of reports, are still to be made
		}
		if err == nil {
			continue
		}
		if errs == nil {
			errs = make([]error, len(alerts))
		}
		var e *httpsink.Error
		alone := len(groups[ns]) > 1 && errors.As(err, &e) && e.Permanent() // one of them may be the reason
		for _, i := range groups[ns] {
			if errs[i] = err; alone {
				errs[i] = s.Send(ctx, alerts[i], nil)
			}
		}
	}
	return errs
}

// tries is how often an update is made that meets others.
const tries = 8

// update adds results to the report of a namespace, or of the cluster.
func (s *Sink) update(ctx context.Context, namespace string, results []result) error {
	path, name, what := "/apis/"+s.kind.Group+"/"+s.kind.ClusterPath, "falco-cluster-policy-report", "the report of the cluster"
	if namespace != "" {
		path, name, what = "/apis/"+s.kind.Group+"/namespaces/"+namespace+"/"+s.kind.Path, "falco-policy-report", "the report of namespace "+namespace
	}
	for try := range tries {
		err := s.attempt(ctx, path, name, namespace, results)
		switch code := kubeapi.Code(err); {
		case err == nil:
			return nil
		case code == http.StatusConflict, errors.Is(err, errDeleted): // somebody else has changed or made it, or deleted it
		case code == http.StatusNotFound && !kubeapi.NoNamespace(err):
			return fmt.Errorf("writing %s (are the custom resource definitions of %s installed?): %w", what, s.kind.Group, err)
		default:
			return fmt.Errorf("writing %s: %w", what, err)
		}
		if err := pause(ctx, try); err != nil {
			return fmt.Errorf("writing %s: %w", what, err)
		}
	}
	return fmt.Errorf("writing %s: %w", what, s.api.Fail(fmt.Sprintf("others have changed it between reading and writing %d times", tries)))
}

// errDeleted is a report that was deleted between reading and writing it.
var errDeleted = errors.New("the report is deleted")

// attempt reads a report, adds the results, and writes it if nobody has changed it.
func (s *Sink) attempt(ctx context.Context, path, name, namespace string, results []result) error {
	var r *report
	text, err := s.api.Do(ctx, http.MethodGet, path+"/"+name, nil)
	switch {
	case err == nil:
		if r, err = parseReport(text); err != nil {
			return s.api.Refuse(err.Error()) // nobody but its owner can mend it
		}
	case kubeapi.Code(err) == http.StatusNotFound:
		r = newReport(s.kind, name, namespace)
	default:
		return err
	}
	body, changed, err := r.add(results, s.cfg.MaxEvents, s.cfg.PruneByPriority)
	if err != nil {
		return s.api.Refuse(err.Error())
	}
	switch {
	case !changed:
		return nil
	case r.found:
		if _, err = s.api.Do(ctx, http.MethodPut, path+"/"+name, body); kubeapi.Code(err) == http.StatusNotFound {
			return errDeleted
		}
	default:
		_, err = s.api.Do(ctx, http.MethodPost, path, body)
	}
	return err
}

// pause waits a short, random time, for others to be done.
func pause(ctx context.Context, try int) error {
	t := time.NewTimer(rand.N(5 * time.Millisecond << try))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.api.Close()
	return nil
}
