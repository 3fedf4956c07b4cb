// Package gcpcloudfunctions calls a function of Google Cloud Functions with each alert: its data are Falcosidekick's JSON.
//
// It uses the API's call, as Falcosidekick does, which Google has for functions of the first generation, and limits to few
// calls a second (more wait, by their answer 429). Functions of the second generation are services on Cloud Run: gcpcloudrun
// calls these. A call that the function itself ends with an error is made again, as one that fails with status 500 is.
package gcpcloudfunctions

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/google"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Name     string // name: projects/P/locations/L/functions/F; the destination is off without
	Endpoint string // endpoint: address of the service; ours
	Google   google.Config
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.Google.Settings(),
		setting.Text("name", &c.Name, "", "function, as projects/P/locations/L/functions/F").Required(),
		setting.Text("endpoint", &c.Endpoint, "https://cloudfunctions.googleapis.com", "address of the service"),
	)
}

// Sink calls a function.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// limit is how many bytes a function of the first generation takes (Cloud Functions, "Quotas"). A longer alert is cut.
const limit = 10_000_000

// New returns a sink. It fails when the credentials or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	p := strings.Split(cfg.Name, "/")
	if len(p) != 6 || p[0] != "projects" || p[2] != "locations" || p[4] != "functions" || p[1] == "" || p[3] == "" || p[5] == "" || strings.ContainsAny(cfg.Name, "?#% ") {
		return nil, fmt.Errorf("gcpcloudfunctions: the name %q must be like projects/P/locations/L/functions/F", cfg.Name)
	}
	sender, err := cfg.Google.Sender("gcpcloudfunctions", cfg.Endpoint, google.CloudPlatform)
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

type call struct {
	Data string `json:"data"`
}

// Send calls the function.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	encode := func(a *alert.Alert) ([]byte, error) { return httpsink.Encode(call{string(a.AppendSidekick(nil))}) }
	body, err := encode(message.Fit(a, limit, func(a *alert.Alert) int {
		body, _ := encode(a) // it fails again below
		return len(body)
	}))
	if err != nil {
		return s.sender.Refuse(err.Error())
	}
	answer, err := s.sender.Do(ctx, httpsink.Request{URL: httpsink.Join(s.cfg.Endpoint, "v1/"+s.cfg.Name+":call"), Body: body})
	if err != nil {
		return err
	}
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(answer, &said) == nil && said.Error != "" {
		return s.sender.Fail("the function ends with an error: " + said.Error)
	}
	return nil
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
