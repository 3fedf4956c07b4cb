package setting_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/sink/setting"
)

type config struct {
	url, format, ca   string
	insecure, verbose bool
	port              int
	timeout           time.Duration
	hosts             []string
	headers           map[string]string
}

func (c *config) Settings() setting.List {
	return setting.List{
		setting.Text("url", &c.url, "", "where").Secret().Required(),
		setting.Choice("format", &c.format, "how", "all", "text"),
		setting.Text("tlsclient.cacertfile", &c.ca, "", "whom to trust").Global(),
		setting.Not("checkcert", &c.insecure, true, "whether"),
		setting.Bool("verbose", &c.verbose, false, "whether"),
		setting.Int("port", &c.port, 80, 1, "which"),
		setting.Duration("timeout", &c.timeout, 10*time.Second, "how long"),
		setting.Strings("hosts", &c.hosts, "a,b", "which"),
		setting.Map("headers", &c.headers, "what else").Secret(),
	}
}

func open(c config) (string, error) { return fmt.Sprint(c), nil }

func TestOpen(t *testing.T) {
	for _, c := range []struct {
		values    setting.Values
		want, err string
	}{
		{setting.Values{"x.url": "u"}, "{u all  false false 80 10000000000 [a b] map[]}", ""},
		{
			setting.Values{
				"x.url": "u", "x.format": "TEXT", "tlsclient.cacertfile": "ca", "x.checkcert": "false", "x.verbose": "true", "x.port": "81", "x.timeout": "1.5",
				"x.hosts": " c , d,", "x.headers": "A:b:c, D : e", "x.headers.X-Y": "f,g", "x.headersx": "no", "y.port": "no",
			},
			"{u text ca true true 81 1500000000 [c d] map[A:b:c D:e X-Y:f,g]}", "",
		},
		{setting.Values{}, "", "x.url is empty, it must have a value"},
		{
			setting.Values{"x.url": "u", "x.format": "html", "x.checkcert": "maybe", "x.port": "0", "x.timeout": "-1s", "x.headers": "s3cret"},
			"",
			"x.format is \"html\", it must be one of all, text\nx.checkcert is \"maybe\", it must be true or false\nx.port is \"0\", it must be a number from 1 on\n" +
				"x.timeout is \"-1s\", it must be a positive time like 10s or 500ms\nx.headers has a value that it cannot have (it is a secret and not shown)",
		},
	} {
		got, err := setting.Open("x", c.values, open)
		if c.err != "" {
			if want := "configuring the destination x: " + c.err; err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
		}
	}
}

func TestKeys(t *testing.T) {
	list := new(config).Settings()
	if list.On("x", setting.Values{"x.port": "1"}) || !list.On("x", setting.Values{"x.url": "u"}) {
		t.Error("required settings do not decide")
	}
	keys := list.Keys("x")
	if want := (setting.Key{Name: "x.url", Doc: "where", Secret: true, Required: true}); keys[0] != want {
		t.Errorf("got %+v", keys[0])
	}
	if want := (setting.Key{Name: "x.format", Default: "all", Doc: "how: all, text"}); keys[1] != want {
		t.Errorf("got %+v", keys[1])
	}
	if !slices.ContainsFunc(keys, func(k setting.Key) bool { return k.Name == "tlsclient.cacertfile" }) || strings.Contains(keys[3].Name, "tls") {
		t.Errorf("got %+v", keys)
	}
}

// TestSwitch is off when it is false, and on when it is true or nothing that makes sense.
func TestSwitch(t *testing.T) {
	var on bool
	list := setting.List{setting.Switch(&on, "on")}
	for value, want := range map[string]bool{"": false, "false": false, "0": false, "true": true, "1": true, "yes": true} {
		if got := list.On("x", setting.Values{"x.enabled": value}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
	if err := list.Load("x", setting.Values{"x.enabled": "true"}); err != nil || !on {
		t.Error(err)
	}
	for value, want := range map[string]string{"yes": `x.enabled is "yes", it must be true or false`, "": "x.enabled is empty, it must have a value"} {
		if err := list.Load("x", setting.Values{"x.enabled": value}); err == nil || err.Error() != want {
			t.Errorf("%q: %v", value, err)
		}
	}
}
