// Package kafkarest posts alerts to a topic through Kafka's REST proxy, in Falcosidekick's form: each is one record without a
// key, whose value is Falcosidekick's JSON in base64.
package kafkarest

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Address string           // address: address of the topic; the destination is off without
	Version int              // version: version of the API; what is not 1 is 2
	HTTP    httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("address", &c.Address, "", "address of the topic").Required(),
		setting.Int("version", &c.Version, 2, 1, "version of the API: 1, 2"),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	sender, err := httpsink.New(httpsink.Config{Name: "kafkarest", URL: cfg.Address, Options: cfg.HTTP})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	version := 2
	if s.cfg.Version == 1 {
		version = 1
	}
	body, err := httpsink.Encode(payload{[]record{{a.AppendSidekick(nil)}}})
	if err != nil {
		return s.sender.Refuse(err.Error())
	}
	answer, err := s.sender.Do(ctx, httpsink.Request{Body: body, ContentType: fmt.Sprintf("application/vnd.kafka.binary.v%d+json", version)})
	if err != nil {
		return err
	}
	return s.refused(answer)
}

type payload struct {
	Records []record `json:"records"`
}

type record struct {
	Value []byte `json:"value"` // JSON has it in base64
}

// refused finds the error of the record in an answer whose status is success. Code 2 says that trying again may help.
func (s *Sink) refused(answer []byte) error {
	var said struct {
		Offsets []struct {
			Code  int    `json:"error_code"`
			Error string `json:"error"`
		} `json:"offsets"`
	}
	if json.Unmarshal(answer, &said) != nil {
		return nil // it need not say anything
	}
	for _, one := range said.Offsets {
		if one.Code != 0 {
			e := s.sender.Fail(fmt.Sprintf("the record is refused with code %d: %s", one.Code, one.Error))
			if one.Code != 2 {
				return e.Permanently()
			}
			return e
		}
	}
	return nil
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
