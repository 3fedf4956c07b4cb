package quickwit_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/quickwit"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "quickwit", Secrets: []string{"s3cretT0ken"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("quickwit", v, quickwit.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"quickwit.hostport": url, "quickwit.customheaders": "Authorization:Bearer s3cretT0ken"}
		},
		Variants: map[string]setting.Values{
			"exists": {"quickwit.autocreateindex": "true", "quickwit.index": "other", "quickwit.apiendpoint": "/api/v2"},
		},
	}.Run(t)
}

// TestCreate makes the index once, also when somebody else was faster.
func TestCreate(t *testing.T) {
	var seen []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.URL.Path)
		switch {
		case r.Method == http.MethodGet:
			http.Error(w, "no such index", http.StatusNotFound)
		case strings.HasSuffix(r.URL.Path, "/indexes") && len(seen) == 2:
			http.Error(w, "not you", http.StatusForbidden) // which says nothing of the alert
		case strings.HasSuffix(r.URL.Path, "/indexes"):
			http.Error(w, `{"message":"index falco already exists"}`, http.StatusBadRequest)
		}
	}))
	defer srv.Close()
	s, err := setting.Open("quickwit", setting.Values{"quickwit.hostport": srv.URL, "quickwit.autocreateindex": "true"}, quickwit.New)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), sinktest.Alert("m"), nil); err == nil || route.Permanent(err) {
		t.Errorf("%v, want an error that is not permanent", err)
	}
	for range 2 {
		if err := s.Send(t.Context(), sinktest.Alert("m"), nil); err != nil {
			t.Fatal(err)
		}
	}
	const describe, create, ingest = "GET /api/v1/indexes/falco/describe", "POST /api/v1/indexes", "POST /api/v1/falco/ingest"
	if got, want := strings.Join(seen, "\n"), strings.Join([]string{describe, create, describe, create, ingest, ingest}, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
