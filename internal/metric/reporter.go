package metric

import (
	"context"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// Reporter makes a sample every interval, as an alert and as a line of a file.
type Reporter struct {
	Interval time.Duration      // metrics.interval; more than 0
	Collect  func() *Snapshot   // assembles the numbers of now
	Options  Options            // what is reported
	Publish  func(*alert.Alert) // takes the alerts; nil without metrics.output_rule
	File     *File              // nil without metrics.output_file
	Log      func(error)        // takes what went wrong with the file
	previous *Snapshot
	samples  uint64
}

// Run makes the first sample at once, as Falco does, and returns when ctx is done.
func (r *Reporter) Run(ctx context.Context) {
	tick := time.NewTicker(r.Interval)
	defer tick.Stop()
	for {
		r.sample()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *Reporter) sample() {
	cur := r.Collect()
	for _, a := range Alerts(r.previous, cur, r.Options) {
		if r.Publish != nil {
			r.Publish(a)
		}
		if r.File != nil {
			if err := r.File.append(Line(r.samples, a)); err != nil {
				r.Log(err)
			}
		}
	}
	r.previous = cur
	r.samples++
}
