package message_test

import (
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/message"
)

func sample() *alert.Alert {
	return &alert.Alert{
		Time: time.Unix(978311400, 0), Rule: "Test rule", Priority: alert.Debug, Source: "syscalls", Output: "out",
		Fields: []alert.Field{
			{Key: "proc.name", Value: alert.Value{Kind: alert.Text, Text: "sh"}},
			{Key: "proc.pid", Value: alert.Value{Kind: alert.Int, Num: 7}},
			{Key: "fd.name", Value: alert.Value{Kind: alert.Text, Text: "/x"}},
			{Key: "none"},
		},
	}
}

func TestTemplate(t *testing.T) {
	for text, want := range map[string]string{
		"": "",
		`{{.Rule}} {{ .Priority }} {{index .OutputFields "proc.name"}} {{index .OutputFields "proc.pid"}} {{index .OutputFields "no"}} {{.Time}}`: "Test rule Debug sh 7 <no value> 2001-01-01 01:10:00 +0000 UTC",
		"{{.Nothing}}": "(messageformat fails for this alert: template: messageformat:1:2: executing \"messageformat\" at <.Nothing>: can't evaluate field Nothing in type message.View)",
	} {
		tmpl, err := message.ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := tmpl.Text(sample()); got != want {
			t.Errorf("%s: got %s", text, got)
		}
	}
	if _, err := message.ParseTemplate("{{"); err == nil || !strings.HasPrefix(err.Error(), "messageformat is no Go template: ") {
		t.Error(err)
	}
}

func TestTexts(t *testing.T) {
	got := message.Texts(sample())
	if len(got) != 2 || got[0] != (message.Pair{Key: "fd.name", Value: "/x"}) || got[1].Key != "proc.name" {
		t.Errorf("got %v", got)
	}
	if message.Field(sample(), "proc.name") != "sh" || message.Field(sample(), "proc.pid") != "" {
		t.Error("fields that are texts")
	}
}

func TestChanges(t *testing.T) {
	same := "rm -rf <NA> a[1] (x) @nobody `id` & <b>"
	for name, f := range map[string]func(string) string{
		"links": message.NoLinks, "mentions": message.NoMentions, "slack": message.NoSlack, "fence": message.NoFence,
	} {
		if f(same) != same {
			t.Errorf("%s changes %q", name, f(same))
		}
	}
	for _, c := range [][2]string{
		{message.NoLinks("[a](http://b)"), "[a]\u200b(http://b)"},
		{message.NoMentions("@all @channel"), "@\u200ball @\u200bchannel"},
		{message.NoSlack("<!here> <HTTPS://a|b> <@U1> <"), "&lt;!here> &lt;HTTPS://a|b> &lt;@U1> <"},
		{message.NoFence("````"), "`\u200b`\u200b``"},
		{message.Cut("éééééééé", 7), "éé[...]"},
		{message.Cut("ééé", 3), "ééé"},
		{message.Cut("abcdef", 2), "[...]"},
		{message.CutBytes("éééé", 8), "éééé"},
		{message.CutBytes("ééééé", 8), "é[...]"},
	} {
		if c[0] != c[1] {
			t.Errorf("got %q, want %q", c[0], c[1])
		}
	}
}

func TestShrink(t *testing.T) {
	long := strings.Repeat("x", 1000)
	got, err := message.Shrink(100, func(limit int) ([]byte, error) {
		return []byte(message.Cut(long, limit) + message.Cut(long, limit)), nil
	})
	if err != nil || len(got) != 100 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestSubject(t *testing.T) {
	for rule, want := range map[string]string{
		"Read sensitive file": "falco.warning.read_sensitive_file", " (Übung): a.b * > c\n": "falco.warning.bung_a_b_c", "日本語": "falco.warning._", "": "falco.warning._",
		"<priority>": "falco.warning.priority",
	} {
		if got := message.Subject("falco.<priority>.<rule>", &alert.Alert{Rule: rule, Priority: alert.Warning}); got != want {
			t.Errorf("%q: %q, want %q", rule, got, want)
		}
	}
	if got := message.Subject("plain", &alert.Alert{}); got != "plain" {
		t.Error(got)
	}
}
