package telegram_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/telegram"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "telegram", Secrets: []string{"s3cretT0ken", "4711:"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("telegram", v, telegram.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"telegram.host": url, "telegram.token": "4711:s3cretT0ken", "telegram.chatid": "-100"}
		},
		Limit: func(body []byte) error {
			var p struct{ Text string }
			if err := json.Unmarshal(body, &p); err != nil {
				return err
			}
			if n := utf8.RuneCountInString(p.Text); n > 4096 {
				return fmt.Errorf("a message of %d characters", n)
			}
			return nil
		},
		Variants: map[string]setting.Values{
			"thread": {"telegram.messagethreadid": "5"},
		},
	}.Run(t)
}

// TestPause keeps the pause that is in the answer's body.
func TestPause(t *testing.T) {
	url := sinktest.ServeStatus(t, http.StatusTooManyRequests, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 35","parameters":{"retry_after":35}}`)
	s, err := setting.Open("telegram", setting.Values{"telegram.host": url, "telegram.token": "t", "telegram.chatid": "1"}, telegram.New)
	if err != nil {
		t.Fatal(err)
	}
	var asks interface {
		RetryAfter() (time.Duration, bool)
	}
	if err := s.Send(t.Context(), sinktest.Alert("m"), nil); !errors.As(err, &asks) {
		t.Fatal(err)
	}
	if d, ok := asks.RetryAfter(); !ok || d != 35*time.Second {
		t.Errorf("%v, %v", d, ok)
	}
}
