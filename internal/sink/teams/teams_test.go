package teams_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/teams"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "teams", Secrets: []string{"s3cretpath", "s3cretT0ken"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("teams", v, teams.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"teams.webhookurl": url + "/hook/s3cretpath/s3cretT0ken"}
		},
		Limit: func(body []byte) error {
			if len(body) > 28<<10 {
				return fmt.Errorf("a card of %d bytes", len(body))
			}
			return nil
		},
		Variants: map[string]setting.Values{
			"text":     {"teams.outputformat": "text"},
			"facts":    {"teams.outputformat": "facts", "teams.activityimage": "http://image"},
			"adaptive": {"teams.format": "adaptivecard"},
		},
	}.Run(t)
}

// TestAnswer believes a connector that fails in its words only.
func TestAnswer(t *testing.T) {
	text := ""
	s := sinktest.Serve(t, func(*http.Request, []byte) string { return text })
	sink, err := setting.Open("teams", setting.Values{"teams.webhookurl": s}, teams.New)
	if err != nil {
		t.Fatal(err)
	}
	for said, permanent := range map[string]bool{
		"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429": false,
		"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413": true,
		"Webhook message delivery failed": false,
	} {
		text = said
		if err := sink.Send(t.Context(), sinktest.Alert("m"), nil); err == nil || route.Permanent(err) != permanent || err.Error() != "teams: posting to "+s+": "+text {
			t.Error(err)
		}
	}
}
