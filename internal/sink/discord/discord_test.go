package discord_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/discord"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "discord", Secrets: []string{"s3cretpath", "s3cretT0ken"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("discord", v, discord.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"discord.webhookurl": url + "/hook/s3cretpath/s3cretT0ken"}
		},
		Limit: limit,
		Variants: map[string]setting.Values{
			"icon": {"discord.icon": "http://icon"},
		},
	}.Run(t)
}

// limit counts as Discord does.
func limit(body []byte) error {
	var p struct {
		Embeds []struct {
			Description string
			Fields      []struct{ Name, Value string }
		}
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return err
	}
	e := p.Embeds[0]
	n := utf8.RuneCountInString(e.Description)
	if n > 4096 || len(e.Fields) > 25 {
		return fmt.Errorf("%d characters, %d fields", n, len(e.Fields))
	}
	for _, f := range e.Fields {
		name, value := utf8.RuneCountInString(f.Name), utf8.RuneCountInString(f.Value)
		if name == 0 || name > 256 || value == 0 || value > 1024 {
			return fmt.Errorf("field %.20s: %d, %d characters", f.Name, name, value)
		}
		n += name + value
	}
	if n > 6000 {
		return fmt.Errorf("%d characters in all", n)
	}
	return nil
}
