// Package awslambda invokes a function of AWS Lambda with each alert, as Falcosidekick's JSON.
//
// A function that fails is a failed delivery, which is tried again, where Falcosidekick counts it as a success; maxattempts
// bounds that. The function may take as long as timeout says. With the invocation type Event, Lambda takes the alert and
// tries again by itself. Of an alert that is larger than Lambda takes (6 MiB, with Event 1 MiB) texts are cut, each with a
// mark.
package awslambda

import (
	"context"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/aws"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Limits of Lambda in bytes (AWS Lambda, Invoke): of a request that is waited for, and of an event.
const (
	limit      = 6 << 20
	eventLimit = 1 << 20
)

// Config is the destination's configuration.
type Config struct {
	FunctionName   string     // functionname: name or ARN; the destination is off without
	InvocationType string     // invocationtype: requestresponse, event, dryrun
	LogType        string     // logtype: tail, none
	AWS            aws.Config // endpoint, credentials, region, checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.AWS.Settings(),
		setting.Text("functionname", &c.FunctionName, "", "name or ARN of the function").Required(),
		setting.Choice("invocationtype", &c.InvocationType, "whether to wait for the function", "requestresponse", "event", "dryrun"),
		setting.Choice("logtype", &c.LogType, "whether the answer has the end of the function's log", "tail", "none"),
	)
}

// Sink invokes the function.
type Sink struct {
	cfg    Config
	client *aws.Client
}

// New returns a sink. It fails when the endpoint or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	c, err := aws.New(cfg.AWS, aws.Service{Name: "awslambda", ID: "lambda", Region: aws.RegionIn(cfg.FunctionName)})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg, c}, nil
}

// Send invokes the function with an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	kind, most, log := "RequestResponse", limit, "Tail"
	if s.cfg.LogType == "none" {
		log = "None"
	}
	switch s.cfg.InvocationType {
	case "event":
		kind, most = "Event", eventLimit
	case "dryrun":
		kind = "DryRun"
	}
	answer, err := s.client.Do(ctx, aws.Request{
		Path: "2015-03-31/functions/" + aws.Escape(s.cfg.FunctionName) + "/invocations", ContentType: "application/json",
		Header: map[string]string{"X-Amz-Invocation-Type": kind, "X-Amz-Log-Type": log},
		Body:   message.FitSidekick(a, most).AppendSidekick(nil),
	})
	if err != nil {
		return err
	}
	if failed := answer.Header.Get("X-Amz-Function-Error"); failed != "" {
		return s.client.Fail("the function has failed (" + failed + "): " + string(answer.Body))
	}
	return nil
}

// Close closes the connections.
func (s *Sink) Close(ctx context.Context) error { return s.client.Close(ctx) }
