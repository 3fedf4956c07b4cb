package all

import (
	"fmt"
	"slices"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/alertmanager"
	"github.com/saker-sec/saker/internal/sink/awscloudwatchlogs"
	"github.com/saker-sec/saker/internal/sink/awskinesis"
	"github.com/saker-sec/saker/internal/sink/awslambda"
	"github.com/saker-sec/saker/internal/sink/awss3"
	"github.com/saker-sec/saker/internal/sink/awssecuritylake"
	"github.com/saker-sec/saker/internal/sink/awssns"
	"github.com/saker-sec/saker/internal/sink/awssqs"
	"github.com/saker-sec/saker/internal/sink/azureeventhub"
	"github.com/saker-sec/saker/internal/sink/clickhouse"
	"github.com/saker-sec/saker/internal/sink/cliq"
	"github.com/saker-sec/saker/internal/sink/cloudevents"
	"github.com/saker-sec/saker/internal/sink/datadog"
	"github.com/saker-sec/saker/internal/sink/datadoglogs"
	"github.com/saker-sec/saker/internal/sink/discord"
	"github.com/saker-sec/saker/internal/sink/dynatrace"
	"github.com/saker-sec/saker/internal/sink/elasticsearch"
	"github.com/saker-sec/saker/internal/sink/fission"
	"github.com/saker-sec/saker/internal/sink/gcpchronicle"
	"github.com/saker-sec/saker/internal/sink/gcpcloudfunctions"
	"github.com/saker-sec/saker/internal/sink/gcpcloudrun"
	"github.com/saker-sec/saker/internal/sink/gcppubsub"
	"github.com/saker-sec/saker/internal/sink/gcpstorage"
	"github.com/saker-sec/saker/internal/sink/googlechat"
	"github.com/saker-sec/saker/internal/sink/gotify"
	"github.com/saker-sec/saker/internal/sink/grafana"
	"github.com/saker-sec/saker/internal/sink/grafanaoncall"
	"github.com/saker-sec/saker/internal/sink/influxdb"
	"github.com/saker-sec/saker/internal/sink/jetstream"
	"github.com/saker-sec/saker/internal/sink/kafka"
	"github.com/saker-sec/saker/internal/sink/kafkarest"
	"github.com/saker-sec/saker/internal/sink/kubeless"
	"github.com/saker-sec/saker/internal/sink/kubernetesevents"
	"github.com/saker-sec/saker/internal/sink/logstash"
	"github.com/saker-sec/saker/internal/sink/loki"
	"github.com/saker-sec/saker/internal/sink/mattermost"
	"github.com/saker-sec/saker/internal/sink/mqtt"
	"github.com/saker-sec/saker/internal/sink/mysql"
	"github.com/saker-sec/saker/internal/sink/n8n"
	"github.com/saker-sec/saker/internal/sink/nats"
	"github.com/saker-sec/saker/internal/sink/nodered"
	"github.com/saker-sec/saker/internal/sink/openfaas"
	"github.com/saker-sec/saker/internal/sink/openobserve"
	"github.com/saker-sec/saker/internal/sink/openreports"
	"github.com/saker-sec/saker/internal/sink/opensearch"
	"github.com/saker-sec/saker/internal/sink/opsgenie"
	"github.com/saker-sec/saker/internal/sink/otlplogs"
	"github.com/saker-sec/saker/internal/sink/otlpmetrics"
	"github.com/saker-sec/saker/internal/sink/otlptraces"
	"github.com/saker-sec/saker/internal/sink/pagerduty"
	"github.com/saker-sec/saker/internal/sink/policyreport"
	"github.com/saker-sec/saker/internal/sink/quickwit"
	"github.com/saker-sec/saker/internal/sink/rabbitmq"
	"github.com/saker-sec/saker/internal/sink/redis"
	"github.com/saker-sec/saker/internal/sink/rocketchat"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/slack"
	"github.com/saker-sec/saker/internal/sink/smtp"
	"github.com/saker-sec/saker/internal/sink/splunk"
	"github.com/saker-sec/saker/internal/sink/spyderbat"
	"github.com/saker-sec/saker/internal/sink/stan"
	"github.com/saker-sec/saker/internal/sink/statsd"
	"github.com/saker-sec/saker/internal/sink/sumologic"
	"github.com/saker-sec/saker/internal/sink/syslogremote"
	"github.com/saker-sec/saker/internal/sink/talon"
	"github.com/saker-sec/saker/internal/sink/teams"
	"github.com/saker-sec/saker/internal/sink/tekton"
	"github.com/saker-sec/saker/internal/sink/telegram"
	"github.com/saker-sec/saker/internal/sink/timescaledb"
	"github.com/saker-sec/saker/internal/sink/victorialogs"
	"github.com/saker-sec/saker/internal/sink/wavefront"
	"github.com/saker-sec/saker/internal/sink/webex"
	"github.com/saker-sec/saker/internal/sink/webhook"
	"github.com/saker-sec/saker/internal/sink/webui"
	"github.com/saker-sec/saker/internal/sink/yandexdatastreams"
	"github.com/saker-sec/saker/internal/sink/yandexs3"
	"github.com/saker-sec/saker/internal/sink/zincsearch"
)

// Destination is a kind of sink that Falcosidekick's configuration names.
type Destination struct {
	// Name is the destination's prefix in Falcosidekick's configuration.
	Name string

	settings func() setting.List
	open     func(prefix string, values setting.Values) (route.Sink, error)
}

// Destinations lists the destinations, by name.
func Destinations() []Destination {
	return []Destination{
		entry("alertmanager", alertmanager.New),
		entry("aws.cloudwatchlogs", awscloudwatchlogs.New),
		entry("aws.kinesis", awskinesis.New),
		entry("aws.lambda", awslambda.New),
		entry("aws.s3", awss3.New),
		entry("aws.securitylake", awssecuritylake.New),
		entry("aws.sns", awssns.New),
		entry("aws.sqs", awssqs.New),
		entry("azure.eventhub", azureeventhub.New),
		entry("clickhouse", clickhouse.New),
		entry("cliq", cliq.New),
		entry("cloudevents", cloudevents.New),
		entry("datadog", datadog.New),
		entry("datadoglogs", datadoglogs.New),
		entry("discord", discord.New),
		entry("dogstatsd", statsd.NewDog),
		entry("dynatrace", dynatrace.New),
		entry("elasticsearch", elasticsearch.New),
		entry("fission", fission.New),
		entry("gcp.chronicle", gcpchronicle.New),
		entry("gcp.cloudfunctions", gcpcloudfunctions.New),
		entry("gcp.cloudrun", gcpcloudrun.New),
		entry("gcp.pubsub", gcppubsub.New),
		entry("gcp.storage", gcpstorage.New),
		entry("googlechat", googlechat.New),
		entry("gotify", gotify.New),
		entry("grafana", grafana.New),
		entry("grafanaoncall", grafanaoncall.New),
		entry("influxdb", influxdb.New),
		entry("jetstream", jetstream.New),
		entry("kafka", kafka.New),
		entry("kafkarest", kafkarest.New),
		entry("kubeless", kubeless.New),
		entry("kubernetesevents", kubernetesevents.New),
		entry("logstash", logstash.New),
		entry("loki", loki.New),
		entry("mattermost", mattermost.New),
		entry("mqtt", mqtt.New),
		entry("mysql", mysql.New),
		entry("n8n", n8n.New),
		entry("nats", nats.New),
		entry("nodered", nodered.New),
		entry("openfaas", openfaas.New),
		entry("openobserve", openobserve.New),
		entry("openreports", openreports.New),
		entry("opensearch", opensearch.New),
		entry("opsgenie", opsgenie.New),
		entry("otlp.logs", otlplogs.New),
		entry("otlp.metrics", otlpmetrics.New),
		entry("otlp.traces", otlptraces.New),
		entry("pagerduty", pagerduty.New),
		entry("policyreport", policyreport.New),
		entry("quickwit", quickwit.New),
		entry("rabbitmq", rabbitmq.New),
		entry("redis", redis.New),
		entry("rocketchat", rocketchat.New),
		entry("slack", slack.New),
		entry("smtp", smtp.New),
		entry("splunk", splunk.New),
		entry("spyderbat", spyderbat.New),
		entry("stan", stan.New),
		entry("statsd", statsd.New),
		entry("sumologic", sumologic.New),
		entry("syslog", syslogremote.New),
		entry("talon", talon.New),
		entry("teams", teams.New),
		entry("tekton", tekton.New),
		entry("telegram", telegram.New),
		entry("timescaledb", timescaledb.New),
		entry("victorialogs", victorialogs.New),
		entry("wavefront", wavefront.New),
		entry("webex", webex.New),
		entry("webhook", webhook.New),
		entry("webui", webui.New),
		entry("yandex.datastreams", yandexdatastreams.New),
		entry("yandex.s3", yandexs3.New),
		entry("zincsearch", zincsearch.New),
	}
}

func entry[C any, S route.Sink, P setting.Configuration[C]](name string, open func(C) (S, error)) Destination {
	return Destination{
		Name:     name,
		settings: func() setting.List { return P(new(C)).Settings() },
		open: func(prefix string, values setting.Values) (route.Sink, error) {
			s, err := setting.Open[C, S, P](prefix, values, open)
			if err != nil {
				return nil, err // not a sink that is a nil pointer
			}
			return s, nil
		},
	}
}

// minimumPriority is the key, after the prefix, of the least priority that a destination gets.
const minimumPriority = "minimumpriority"

// concurrency is the key, after the prefix, of how many requests may be under way.
const concurrency = "maxconcurrentrequests"

// Label returns what Falcosidekick calls the destination in its metrics.
func (d Destination) Label() string {
	switch d.Name {
	case "fission":
		return "Fission"
	case "aws.securitylake":
		return "awssecuritylake."
	}
	return strings.ReplaceAll(d.Name, ".", "")
}

// Keys describes all keys of the destination with the prefix, which is its name or, for another one of its kind, any other.
func (d Destination) Keys(prefix string) []setting.Key {
	keys := d.settings().Keys(prefix)
	return append(keys,
		setting.Key{Name: prefix + "." + minimumPriority, Doc: "least priority of alerts to send; empty is all"},
		setting.Key{Name: prefix + "." + concurrency, Default: "1", Doc: "how many requests may be under way at once; 0 is any number"},
	)
}

// On says whether the values turn the destination on: whether all keys that it needs have one.
func (d Destination) On(prefix string, values setting.Values) bool {
	return d.settings().On(prefix, values)
}

// Open makes a sink of the values of the keys with the prefix. The error says which of them are wrong, without secrets.
func (d Destination) Open(prefix string, values setting.Values) (route.Sink, error) {
	return d.open(prefix, values)
}

// Least returns the least priority of alerts to send. A value that is no priority is an error; Falcosidekick takes it for all.
func Least(prefix string, values setting.Values) (alert.Priority, error) {
	text := values[prefix+"."+minimumPriority]
	if text == "" {
		return alert.Debug, nil
	}
	p, err := alert.ParsePriority(text)
	if err != nil {
		return 0, fmt.Errorf("%s.%s is %q, it must be a priority or empty", prefix, minimumPriority, text)
	}
	return p, nil
}

// Find returns the destination with the name.
func Find(name string) (Destination, bool) {
	list := Destinations()
	i := slices.IndexFunc(list, func(d Destination) bool { return d.Name == name })
	if i < 0 {
		return Destination{}, false
	}
	return list[i], true
}
