package sinktest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
)

// Sample is an alert as Falco sends it.
type Sample struct {
	Name string
	JSON string
}

// Alert decodes the sample.
func (s Sample) Alert(t *testing.T) *alert.Alert {
	t.Helper()
	a, err := alert.Decode([]byte(s.JSON))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Samples are the alerts that every destination must take.
func Samples() []Sample {
	return []Sample{
		{"plain", `{"uuid":"6f1b7c1e-0000-4000-8000-000000000001","hostname":"node-1","output":"18:46:58.138453459: Warning Sensitive file opened (user=root file=/etc/shadow tty=<NA>)",` +
			`"output_fields":{"container.id":"host","evt.time":1795459618138453459,"fd.name":"/etc/shadow","proc.aname[2]":"bash","proc.cmdline":"cat /etc/shadow","proc.pid":4711,"user.name":"root","k8s.ns.name":"shop","k8s.pod.name":"cart-0"},` +
			`"priority":"Warning","rule":"Read sensitive file untrusted","source":"syscall","tags":["T1555","container","mitre_credential_access"],"time":"2026-11-23T18:46:58.138453459Z"}`},
		{"unicode", `{"uuid":"6f1b7c1e-0000-4000-8000-000000000002","hostname":"knoten-ü","output":"18:46:58.1: Error Prozeß «größe» 日本語 🦅 \u2028 \ud800 \u0007 end",` +
			`"output_fields":{"evt.time":1795459618100000000,"fd.name":"/tmp/日本語\u0001","proc.cmdline":"echo \"größe\" \\ 'x'\t\n","proc.pid":1,"ключ":"🦅"},` +
			`"priority":"Error","rule":"Übung","source":"syscall","tags":["größe"],"time":"2026-11-23T18:46:58.1Z"}`},
		{"values", `{"uuid":"6f1b7c1e-0000-4000-8000-000000000003","hostname":"node-1","output":"18:46:58.000000000: Critical Values","output_fields":{"evt.time":1795459618000000000,` +
			`"proc.pid":-1,"evt.num":18446744073709551615,"big":123456789012345678901234567890,"ratio":1.50,"proc.tty":0,"is":true,"isnot":false,"none":null,"empty":"","list":["a",1,null],"n_drops":"12"},` +
			`"priority":"Critical","rule":"Values","source":"k8s_audit","tags":["T1059.004"],"time":"2026-11-23T18:46:58Z"}`},
		{"injection", `{"uuid":"6f1b7c1e-0000-4000-8000-000000000004","hostname":"<b>host</b>","output":"18:46:58.1: Alert <script>alert(1)</script> <!channel> <https://evil.example|click> [x](http://evil.example) @all *_~` + "`" + `# ,=\\ \"quoted\" \n new=line",` +
			`"output_fields":{"evt.time":1795459618100000000,"proc.pid":7,"proc.cmdline":"` + "```" + ` @everyone <@U123> \"},{\"x\":\"\r\nX-Evil: 1","fd.name":"a,b=c d\"e\\","user.name":"{{.UUID}} ${jndi:ldap://x} %s","x\"y":"z"},` +
			`"priority":"Alert","rule":"Rule, with=signs \"and\" *stars* ](http://evil.example)","source":"syscall","tags":["a b","c,d","e=f"],"time":"2026-11-23T18:46:58.1Z"}`},
		{"minimal", `{"uuid":"6f1b7c1e-0000-4000-8000-000000000005","output":"Falco internal: syscall event drop","output_fields":{"proc.name":"x"},"priority":"Debug","rule":"Minimal","source":"internal","time":"1970-01-01T00:00:01Z"}`},
		long(),
	}
}

func long() Sample {
	fields := map[string]string{}
	for i := range 40 {
		fields[fmt.Sprintf("field.%02d", i)] = strings.Repeat(string(rune('a'+i%26)), 300)
	}
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err) // a map of texts can be marshalled
	}
	return Sample{"long", `{"uuid":"6f1b7c1e-0000-4000-8000-000000000006","hostname":"node-1","output":"18:46:58.000000000: Emergency ` + strings.Repeat("long ", 1200) + `","output_fields":{"evt.time":1795459618000000000,"proc.pid":9,` +
		string(text[1:]) + `,"priority":"Emergency","rule":"Long","source":"syscall","tags":["long"],"time":"2026-11-23T18:46:58Z"}`}
}

// huge is an alert of more than a megabyte, most of it in the output and one field, with many fields and tags and a long rule.
func huge(t *testing.T) *alert.Alert {
	a := Samples()[0].Alert(t)
	a.Output += strings.Repeat(" ö\"<", 100_000)
	a.Fields = append(a.Fields, alert.Field{Key: "huge", Value: alert.Value{Kind: alert.Text, Text: strings.Repeat("é\\", 200_000)}})
	a.Rule += strings.Repeat(" long", 3000)
	for i := range 300 {
		a.Tags = append(a.Tags, fmt.Sprintf("tag_%d_%s", i, strings.Repeat("t", 50)))
		a.Fields = append(a.Fields, alert.Field{Key: fmt.Sprintf("more.%d", i), Value: alert.Value{Kind: alert.Text, Text: "x"}})
	}
	return a
}
