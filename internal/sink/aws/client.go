package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/saker-sec/saker/internal/sink/httpsink"
)

// Service is what a Client sends to.
type Service struct {
	Name   string // of the destination, in errors
	ID     string // of the service, in signatures; its endpoint begins with it
	Region string // of what is sent to, when that tells; "" is that of the configuration
	Host   string // before the endpoint's own, with a dot; "" is none
	Type   string // content type of JSON
}

// Client makes signed requests to one service. It may be used by several goroutines at once.
type Client struct {
	cfg     Config
	service Service

	mu     sync.Mutex
	sender *httpsink.Sender // nil until the region is known
	base   string           // the endpoint then
	source aws.CredentialsProvider
}

// Request is one request.
type Request struct {
	Method      string // "" is POST
	Path        string // as it is sent, without the slash it begins with
	ContentType string
	Header      map[string]string
	Body        []byte
}

// Answer is a success.
type Answer struct {
	Body   []byte
	Header http.Header
}

// cause is embedded under a name that is not that of its method.
type cause = httpsink.Error

// Error is a request that failed.
type Error struct {
	*cause
	Code string // of AWS: "ThrottlingException"; "" when there is none
}

// Unwrap returns what httpsink says.
func (e *Error) Unwrap() error { return e.cause }

// Code returns AWS's code of an error; "" when it has none.
func Code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// New returns a client. It fails when the endpoint or a file of certificates cannot be used. Credentials, and a region that
// the configuration does not name, are looked for with the first request, and again until they are found.
func New(cfg Config, s Service) (*Client, error) {
	if (cfg.AccessKeyID == "") != (cfg.SecretAccessKey == "") {
		return nil, fmt.Errorf("%s: the id of an access key and the key must be set together", s.Name)
	}
	c := &Client{cfg: cfg, service: s}
	probe, err := c.open(nil, "us-east-1") // shows what is wrong with the rest
	if err != nil {
		return nil, err
	}
	probe.Close()
	return c, nil
}

// endpoint returns the URL of the service.
func (c *Client) endpoint(region string) string {
	if c.cfg.Endpoint != "" {
		return c.cfg.Endpoint
	}
	host := c.service.ID + "." + region + "." + suffix(region)
	if c.service.Host != "" {
		host = c.service.Host + "." + host
	}
	return "https://" + host
}

func (c *Client) open(source aws.CredentialsProvider, region string) (*httpsink.Sender, error) {
	return httpsink.New(httpsink.Config{
		Name: c.service.Name, URL: c.endpoint(region), Options: c.cfg.HTTP, Secrets: []string{c.cfg.SecretAccessKey, c.cfg.SessionToken, c.cfg.ExternalID},
		Transport: func(t *http.Transport) (http.RoundTripper, error) {
			return &signer{next: t, signer: v4.NewSigner(), source: source, service: c.service.ID, region: region}, nil
		},
	})
}

// connect returns the sender, which it makes when there is none yet.
func (c *Client) connect(ctx context.Context) (*httpsink.Sender, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sender != nil {
		return c.sender, nil
	}
	region := c.service.Region
	if region == "" {
		region = c.cfg.Region
	}
	limit := c.cfg.HTTP.Timeout
	if limit <= 0 {
		limit = httpsink.DefaultTimeout
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	source, region, err := c.cfg.identify(limited, region)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.service.Name, err)
	}
	sender, err := c.open(source, region)
	if err != nil {
		return nil, err
	}
	c.source, c.sender, c.base = source, sender, c.endpoint(region)
	return sender, nil
}

// Do makes one request, and makes it again at once when it is refused because credentials that can be renewed have expired.
func (c *Client) Do(ctx context.Context, r Request) (*Answer, error) {
	sender, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := c.once(ctx, sender, r)
	if renew, ok := c.source.(interface{ Invalidate() }); ok && expired(Code(err)) {
		renew.Invalidate()
		return c.once(ctx, sender, r)
	}
	return answer, err
}

func (c *Client) once(ctx context.Context, sender *httpsink.Sender, r Request) (*Answer, error) {
	var told said
	body, err := sender.Do(context.WithValue(ctx, saidKey{}, &told), httpsink.Request{
		Method: r.Method, URL: httpsink.Join(c.base, r.Path), ContentType: r.ContentType, Header: r.Header, Body: r.Body,
	})
	if err == nil {
		return &Answer{body, told.header}, nil
	}
	var e *httpsink.Error
	if !errors.As(err, &e) || e.Code == 0 {
		return nil, err
	}
	return nil, judge(e, told.code, told.message, e.Code)
}

// judge says whether an error is permanent by what is known of its code.
func judge(e *httpsink.Error, code, message string, status int) *Error {
	if refused(code, message, status) {
		return &Error{e.Permanently(), code}
	}
	return &Error{e.Passing(), code}
}

// Entry returns the error of one entry of a batch that is not taken, which has no status of its own.
func (c *Client) Entry(code, message string) error {
	return judge(c.sender.Fail(fmt.Sprintf("the entry is refused: %s: %s", code, message)), bare(code), message, 0)
}

// Fail returns an error for an answer that is no success in spite of its status. It may be tried again.
func (c *Client) Fail(reason string) error { return &Error{c.sender.Fail(reason), ""} }

// JSON makes a call of a service with a JSON protocol, and decodes the answer unless out is nil. The target is the name of the
// call with what the service puts before it.
func (c *Client) JSON(ctx context.Context, target string, in, out any) error {
	body, err := httpsink.Encode(in)
	if err != nil {
		return err
	}
	answer, err := c.Do(ctx, Request{ContentType: c.service.Type, Header: map[string]string{"X-Amz-Target": target}, Body: body})
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer.Body, out); err != nil {
		return c.Fail("the answer is not the JSON that it must be: " + err.Error())
	}
	return nil
}

// Close closes the connections.
func (c *Client) Close(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sender != nil {
		c.sender.Close()
	}
	return nil
}
