package telegram

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/saker-sec/saker/internal/alert"
)

// FuzzText holds that every message ends, fits, and has nothing of the alert that MarkdownV2 acts on: with the escaped
// characters gone, only the message's own signs are left.
func FuzzText(f *testing.F) {
	f.Add("rule", "key", "va_l*u[e](x)\\", 3)
	f.Add("\\", "", strings.Repeat("é_", 5000), 900)
	f.Fuzz(func(t *testing.T, rule, key, value string, n int) {
		a := &alert.Alert{Rule: rule, Output: value + ".", Hostname: key}
		for range min(max(n, 0), 1000) {
			a.Tags = append(a.Tags, key)
		}
		a.Fields = []alert.Field{{Key: key, Value: alert.Value{Kind: alert.Text, Text: value}}}
		got := text(a)
		if c := utf8.RuneCountInString(got); c > limit {
			t.Fatalf("%d characters", c)
		}
		var bare strings.Builder
		for i := 0; i < len(got); i++ {
			if got[i] == '\\' {
				i++
				continue
			}
			bare.WriteByte(got[i])
		}
		// The title, five headings, the field (if it is shown) and the output's four.
		if stars := strings.Count(bare.String(), "*"); stars != 2+10+2+4 && stars != 2+10+4 || strings.ContainsAny(bare.String(), "_[]()~`>#+-=|{}.!") {
			t.Fatalf("%d stars: %q", stars, bare.String())
		}
	})
}
