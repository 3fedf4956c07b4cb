package alertmanager_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/alertmanager"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "alertmanager", Secrets: []string{"s3cretPassword", "s3cretHeader"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("alertmanager", v, alertmanager.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{
				"alertmanager.hostport": strings.Replace(url, "http://", "http://user:s3cretPassword@", 1), "alertmanager.customheaders": "X-One:s3cretHeader",
			}
		},
		Variants: map[string]setting.Values{
			"extra": {
				"alertmanager.extralabels": "a:b, c:d:e", "alertmanager.extraannotations": "f:g", "alertmanager.customseveritymap": "warning:low,debug:none",
				"alertmanager.expiresafter": "60", "alertmanager.endpoint": "/prefix/api/v1/alerts", "alertmanager.dropeventthresholds": "5:emergency,50:alert",
				"alertmanager.customheaders": "",
			},
		},
	}.Run(t)
}

// TestServers posts to all servers, and is content with one.
func TestServers(t *testing.T) {
	var mu sync.Mutex
	var got []string
	serve := func(name string) string {
		return sinktest.Serve(t, func(*http.Request, []byte) string {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, name)
			slices.Sort(got)
			return ""
		})
	}
	one, two := serve("one"), serve("two")
	down, refuses := sinktest.ServeStatus(t, 503, "down"), sinktest.ServeStatus(t, 400, "bad")
	for _, c := range []struct {
		hosts, want string
		permanent   bool
	}{
		{one + "," + two, "one two", false},
		{down + "," + two, "two", false},
		{refuses + "," + one, "one", false},
		{refuses + "," + down, "503", false},
		{down + "," + refuses, "503", false},
		{refuses, "400", true},
	} {
		got = nil
		s, err := setting.Open("alertmanager", setting.Values{"alertmanager.hostport": c.hosts}, alertmanager.New)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Send(t.Context(), sinktest.Alert("m"), nil)
		if err == nil && strings.Join(got, " ") != c.want || err != nil && !strings.Contains(err.Error(), c.want) || route.Permanent(err) != c.permanent {
			t.Errorf("%s: %v, %v", c.want, got, err)
		}
	}
}

// TestHanging has two servers that do not answer before a third has: the time limit for all is that for one, so none waits for another.
func TestHanging(t *testing.T) {
	release := make(chan struct{})
	hangs := sinktest.Serve(t, func(r *http.Request, _ []byte) string {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return ""
	})
	var got atomic.Int64
	works := sinktest.Serve(t, func(*http.Request, []byte) string { got.Add(1); close(release); return "" })
	s, err := setting.Open("alertmanager", setting.Values{"alertmanager.hostport": hangs + "," + hangs + "," + works, "alertmanager.timeout": "60s"}, alertmanager.New)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Send(ctx, sinktest.Alert("m"), nil); err != nil || got.Load() != 1 {
		t.Errorf("%v, %d alerts have arrived", err, got.Load())
	}
}

func TestConfig(t *testing.T) {
	for want, values := range map[string]setting.Values{
		"alertmanager: customseveritymap: unknown priority value: loud":                                                                {"alertmanager.customseveritymap": "loud:x"},
		"alertmanager: dropeventdefaultpriority: unknown priority value: loud":                                                         {"alertmanager.dropeventdefaultpriority": "loud"},
		`alertmanager: dropeventthresholds: "many:error" must be like 1000:critical: strconv.ParseInt: parsing "many": invalid syntax`: {"alertmanager.dropeventthresholds": "many:error"},
	} {
		values["alertmanager.hostport"] = "http://h"
		if _, err := setting.Open("alertmanager", values, alertmanager.New); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}
