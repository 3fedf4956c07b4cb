// Package spyderbat posts alerts to Spyderbat, in Falcosidekick's form, to a source that it makes when there is none. It does
// so with the first alert, and again until it succeeds, not once at the start.
//
// Spyderbat needs a process: an alert without a number in proc.pid is refused. One without evt.time gets the alert's time.
package spyderbat

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	OrgUID      string           // orguid: organization; the destination is off without
	APIKey      string           // apikey: key of the API
	APIURL      string           // apiurl: address of the API
	Source      string           // source: name of the source
	Description string           // sourcedescription: description of the source
	HTTP        httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("orguid", &c.OrgUID, "", "organization").Required(),
		setting.Text("apikey", &c.APIKey, "", "key of the API").Secret(),
		setting.Text("apiurl", &c.APIURL, "https://api.spyderbat.com", "address of the API"),
		setting.Text("source", &c.Source, "falcosidekick", "name of the source"),
		setting.Text("sourcedescription", &c.Description, "", "description of the source"),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
	mu     sync.Mutex
	ready  bool // the source is there
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	sender, err := httpsink.New(httpsink.Config{Name: "spyderbat", URL: sources(cfg), Options: cfg.HTTP, Header: map[string]string{"Authorization": "Bearer " + cfg.APIKey}})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	e, err := newEvent(a, time.Now())
	if err != nil {
		return s.sender.Refuse(err.Error())
	}
	body, err := httpsink.Encode(e)
	if err != nil {
		return s.sender.Refuse(err.Error())
	}
	_, err = s.sender.Do(ctx, httpsink.Request{
		URL: sources(s.cfg) + uid(s.cfg) + "/data/sb-agent", ContentType: "application/ndjson", Body: body, Gzip: true,
	})
	return err
}

func sources(cfg Config) string {
	return httpsink.Join(cfg.APIURL, "api/v1/org/"+url.PathEscape(cfg.OrgUID)+"/source/")
}

func uid(cfg Config) string { return "falcosidekick_" + url.PathEscape(cfg.OrgUID) }

// prepare makes the source if there is none.
func (s *Sink) prepare(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready {
		return nil
	}
	answer, err := s.sender.Do(ctx, httpsink.Request{Method: http.MethodGet})
	if err != nil {
		return httpsink.Passing(err)
	}
	var list []struct {
		UID string `json:"uid"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return s.sender.Fail("the list of sources is not what it must be: " + err.Error())
	}
	for _, one := range list {
		s.ready = s.ready || one.UID == uid(s.cfg)
	}
	if s.ready {
		return nil
	}
	err = s.sender.JSON(ctx, struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		UID         string `json:"uid"`
	}{s.cfg.Source, s.cfg.Description, uid(s.cfg)})
	s.ready = err == nil
	return httpsink.Passing(err)
}

type event struct {
	Schema    string   `json:"schema"`
	ID        string   `json:"id"`
	Monotonic int      `json:"monotonic_time"`
	Sent      float64  `json:"orc_time"` // seconds
	Time      float64  `json:"time"`     // seconds
	PID       int32    `json:"pid"`
	Level     string   `json:"level"`
	Message   []string `json:"msg"`
	Args      string   `json:"args"`
	Container string   `json:"container"`
}

func newEvent(a *alert.Alert, now time.Time) (event, error) {
	e := event{
		Schema: "falco_alert::1.0.0", ID: a.UUID, Monotonic: now.Nanosecond(), Sent: float64(now.UnixNano()) / 1e9, Time: float64(a.Time.Unix()), Level: level(a.Priority),
		Args: message.Field(a, "proc.cmdline"), Container: message.Field(a, "container.id"),
	}
	if words := strings.Split(a.OutputText(), " "); len(words) > 2 {
		e.Message = words[2:]
	}
	found := false
	for _, f := range a.Fields {
		text, ok := f.Value.Number()
		n, err := strconv.ParseInt(text, 10, 64)
		switch {
		case !ok || err != nil:
		case f.Key == "evt.time":
			e.Time = float64(n / 1e9)
		case f.Key == "proc.pid":
			e.PID, found = int32(n), true
		}
	}
	if !found {
		return e, errors.New("the alert has no number in proc.pid, which Spyderbat needs")
	}
	return e, nil
}

func level(p alert.Priority) string {
	return [...]string{"critical", "high", "critical", "high", "medium", "low", "info", "info"}[min(p, alert.Debug)]
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
