package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/config"
	"github.com/saker-sec/saker/internal/ingest"
	"github.com/saker-sec/saker/internal/queue"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/all"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// forwardConfig is Falcosidekick's configuration, and ours beside it (reference: sidekick.md §1.3). The destinations' part is
// in the values.
type forwardConfig struct {
	engine    bool // it is what falco.yaml has under forward: nothing comes in over HTTP
	listen    ingest.Listen
	transform ingest.TransformConfig
	labels    []string // prometheus.extralabels
	debug     bool
	limit     int
	queue     queue.Config

	maxMegabytes int
	values       setting.Values
	destinations []forwardDestination
}

// forwardDestination is a destination that is on.
type forwardDestination struct {
	kind  all.Destination
	least alert.Priority
	ahead int // alerts that it may hold
	route.Destination
}

// unbounded is how many requests may be under way for a destination whose maxconcurrentrequests is 0.
const unbounded = 16

// settings binds the keys that are not a destination's.
func (c *forwardConfig) settings() setting.List {
	q := &c.queue
	list := setting.List{
		setting.Map("customfields", &c.transform.CustomFields, "fields to add; %X is the value of X in the environment"),
		setting.Map("templatedfields", &c.transform.TemplatedFields, "fields to add, as templates over the alert's fields"),
		setting.Strings("customtags", &c.transform.CustomTags, "", "tags to add"),
		setting.Text("bracketreplacer", &c.transform.BracketReplacer, "", "what [ in names of fields becomes"),
		setting.Text("outputfieldformat", &c.transform.OutputFieldFormat, "", "format of the output, with <timestamp>, <priority>, <output>, <custom_fields>, <templated_fields> and <tags>"),

		setting.Text("queue.dir", &q.Dir, "/var/lib/saker/queue", "directory of the durable queue"),
		setting.Int("queue.maxmegabytes", &c.maxMegabytes, queue.DefaultBytes>>20, 1, "room for alerts that wait"),
		setting.Duration("queue.maxage", &q.Age, queue.DefaultAge, "time after which an alert is given up"),
		setting.Text("bus.url", &q.Bus.URL, "", "NATS cluster to keep the queue in, in place of the directory").Secret(),
		setting.Text("bus.name", &q.Name, queue.DefaultName, "name of the streams there"),
		setting.Int("bus.replicas", &q.Bus.Replicas, 1, 1, "how many servers keep each alert"),
		setting.Text("bus.credsfile", &q.Bus.CredsFile, "", "user's JWT and key"),
		setting.Text("bus.nkeyfile", &q.Bus.NKeyFile, "", "seed of the user's key"),
		setting.Text("bus.user", &q.Bus.User, "", "user"),
		setting.Text("bus.password", &q.Bus.Password, "", "password").Secret(),
		setting.Text("bus.token", &q.Bus.Token, "", "token").Secret(),
		setting.Text("bus.cacertfile", &q.Bus.CAFile, "", "authorities to trust"),
		setting.Text("bus.certfile", &q.Bus.CertFile, "", "certificate to show"),
		setting.Text("bus.keyfile", &q.Bus.KeyFile, "", "its key"),
	}
	if !c.engine {
		list = append(list, c.listenSettings()...)
	}
	for i := range list {
		list[i] = list[i].Global()
	}
	return list
}

// listenSettings binds the keys of what comes in over HTTP.
func (c *forwardConfig) listenSettings() setting.List {
	const certs = "/etc/certs/server/"
	return setting.List{
		setting.Text("listenaddress", &c.listen.Address, "", "address to listen on; empty is all"),
		setting.Int("listenport", &c.listen.Port, 2801, 0, "port to listen on"),
		setting.Bool("debug", &c.debug, false, "print every alert"),
		setting.Strings("prometheus.extralabels", &c.labels, "", "fields to have as labels of the metrics"),
		setting.Bool("tlsserver.deploy", &c.listen.TLS, false, "listen with TLS"),
		setting.Text("tlsserver.certfile", &c.listen.CertFile, certs+"server.crt", "the server's certificate"),
		setting.Text("tlsserver.keyfile", &c.listen.KeyFile, certs+"server.key", "its key"),
		setting.Bool("tlsserver.mutualtls", &c.listen.MutualTLS, false, "want a certificate from clients"),
		setting.Text("tlsserver.cacertfile", &c.listen.CAFile, certs+"ca.crt", "authorities of clients"),
		setting.Int("tlsserver.notlsport", &c.listen.PlainPort, 2810, 0, "port without TLS"),
		setting.Strings("tlsserver.notlspaths", &c.listen.PlainPaths, "", "paths to serve on the port without TLS"),
		setting.Int("maxbodysize", &c.limit, ingest.DefaultLimit, 1024, "bytes of the largest alert that is taken"),
	}
}

// destinationTexts are settings that are read afterwards.
type destinationTexts struct{ rate, filter, age string }

// destinationSettings binds the keys that every destination has beside those of its kind.
func destinationSettings(d *route.Destination, t *destinationTexts) setting.List {
	return setting.List{
		setting.Int("maxconcurrentrequests", &d.Concurrency, 1, 0, "how many requests may be under way at once; 0 is 16"),
		setting.Text("filter", &t.filter, "", "condition that alerts must meet"),
		setting.Text("rate", &t.rate, "", "most alerts a second; 0 is any number"),
		setting.Int("burst", &d.Burst, 1, 0, "alerts that may be sent at once in spite of the rate"),
		setting.Int("maxattempts", &d.Attempts, 0, 0, "attempts after which an alert becomes a dead letter; 0 is any number"),
		setting.Int("batchsize", &d.BatchSize, 0, 0, "most alerts in one request, where the destination can take several; 0 is what suits it"),
		setting.Text("batchage", &t.age, "", "how long an alert may wait for others; empty is what suits the destination"),
		setting.Strings("group.by", &d.Group.By, "", "fields by which alerts are repeats of each other; empty groups nothing"),
		setting.Duration("group.window", &d.Group.Window, route.DefaultWindow, "how long repeats are held back and counted"),
		setting.Int("group.count", &d.Group.Count, 0, 0, "number of repeats that ends a window early; 0 is any number"),
	}
}

func forwardKeys(d all.Destination, prefix string) (out []string) {
	for _, k := range append(d.Keys(prefix), destinationSettings(new(route.Destination), new(destinationTexts)).Keys(prefix)...) {
		out = append(out, k.Name)
	}
	return out
}

// loadForward reads the file, if there is one, and the environment, which goes before. The warnings name keys that nobody
// knows.
func loadForward(path string, getenv func(string) string) (c *forwardConfig, warnings []string, err error) {
	var root *yaml.Node
	if path != "" {
		if root, err = readYAML(path); err != nil {
			return nil, nil, err
		}
		if isEngines(root) {
			return nil, nil, fmt.Errorf("%s is a configuration of the engine: what it has under forward is delivered by saker itself", path)
		}
	}
	c = &forwardConfig{}
	warnings, err = c.load(root, path, "", getenv)
	return c, warnings, err
}

// loadEngineForward reads what falco.yaml has under forward, and the variables of the environment that begin with FORWARD_.
func loadEngineForward(root *yaml.Node, path string, getenv func(string) string) (c *forwardConfig, warnings []string, err error) {
	c = &forwardConfig{engine: true}
	warnings, err = c.load(root, path, "FORWARD_", getenv)
	for i, w := range warnings {
		warnings[i] = "forward: " + w
	}
	if err != nil {
		err = fmt.Errorf("forward: %w", err)
	}
	return c, warnings, err
}

// vocabulary returns the keys that there are, and the kinds of destinations by their prefixes, which order lists.
func (c *forwardConfig) vocabulary() (known map[string]bool, kinds map[string]all.Destination, order []string) {
	known, kinds = map[string]bool{}, map[string]all.Destination{}
	for _, k := range c.settings().Keys("") {
		known[k.Name] = true
	}
	for _, d := range all.Destinations() {
		order = append(order, d.Name)
		kinds[d.Name] = d
		for _, k := range forwardKeys(d, d.Name) {
			known[k] = true
		}
	}
	return known, kinds, order
}

// load reads the map at root, which may be nil, and the environment.
func (c *forwardConfig) load(root *yaml.Node, path, envPrefix string, getenv func(string) string) (warnings []string, err error) {
	c.values = setting.Values{}
	known, kinds, order := c.vocabulary()
	add := func(d all.Destination, prefix string) {
		kinds[prefix] = d
		for _, k := range forwardKeys(d, prefix) {
			known[k] = true
		}
	}
	if root != nil {
		named, err := c.readFile(root, path, known, add)
		if err != nil {
			return nil, err
		}
		order = append(order, named...)
	}
	if err := c.readEnv(known, envPrefix, getenv); err != nil {
		return nil, err
	}
	if err := c.settings().Load("", c.values); err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	c.queue.Bytes = int64(c.maxMegabytes) << 20
	for name, v := range c.transform.CustomFields {
		if !strings.HasPrefix(v, "%") {
			continue
		}
		if c.transform.CustomFields[name] = getenv(v[1:]); c.transform.CustomFields[name] == "" {
			delete(c.transform.CustomFields, name)
			warnings = append(warnings, fmt.Sprintf("customfields: %s is left out, for the environment has no %s", name, v[1:]))
		}
	}
	var errs []error
	for _, prefix := range order {
		d := kinds[prefix]
		if !d.On(prefix, c.values) {
			continue
		}
		f, err := c.destination(d, prefix)
		errs = append(errs, err)
		c.destinations = append(c.destinations, f)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	slices.Sort(warnings)
	return append(warnings, unknownKeys(c.values, known)...), nil
}

// destination reads what is the same for all destinations.
func (c *forwardConfig) destination(d all.Destination, prefix string) (forwardDestination, error) {
	f := forwardDestination{kind: d, Destination: route.Destination{
		Name: prefix, JSON: true, Open: func() (route.Sink, error) { return d.Open(prefix, c.values) },
	}}
	var t destinationTexts
	err := destinationSettings(&f.Destination, &t).Load(prefix, c.values)
	if err != nil {
		return f, err
	}
	if f.least, err = all.Least(prefix, c.values); err != nil {
		return f, err
	}
	if f.Concurrency == 0 {
		f.Concurrency = unbounded
	}
	if t.rate != "" {
		if f.Rate, err = strconv.ParseFloat(t.rate, 64); err != nil || f.Rate < 0 || f.Rate > 1e9 {
			return f, fmt.Errorf("%s.rate is %q, it must be a number of alerts a second", prefix, t.rate)
		}
	}
	if t.age != "" {
		if err := (setting.List{setting.Duration("batchage", &f.BatchAge, time.Second, "")}).Load(prefix, c.values); err != nil {
			return f, err
		}
	}
	if t.filter != "" {
		if f.Filter, err = route.ParseFilter(t.filter); err != nil {
			return f, fmt.Errorf("%s.filter: %w", prefix, err)
		}
	}
	var timeout time.Duration // the sink's own ends an attempt sooner
	if err := (setting.List{setting.Duration("timeout", &timeout, time.Second, "")}).Load(prefix, c.values); err == nil && timeout > 0 {
		f.Timeout = max(route.DefaultTimeout, timeout+timeout/10)
	}
	// A sink is made only to see whether its configuration is right, and what it can do.
	s, err := f.Open()
	if err != nil {
		return f, err
	}
	f.ahead = f.Ahead(s)
	if closer, ok := s.(route.Closer); ok {
		closeNow(closer)
	}
	return f, nil
}

// readYAML returns the map that a file holds, or nil when it holds nothing but comments.
func readYAML(path string) (*yaml.Node, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("reading the configuration %s: %w", path, err)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	if root := doc.Content[0]; root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("reading the configuration %s: line %d: it must be a map", path, root.Line)
	}
	return doc.Content[0], nil
}

// readFile reads the YAML. Keys count in any case, except those of maps. It returns the names under destinations.
func (c *forwardConfig) readFile(root *yaml.Node, path string, known map[string]bool, add func(all.Destination, string)) (named []string, err error) {
	var lists []*yaml.Node
	for _, e := range entries(root, 0) {
		if strings.EqualFold(e.key, "destinations") {
			lists = append(lists, e.value)
			continue
		}
		c.flatten(strings.ToLower(e.key), e.value, known)
	}
	for _, list := range lists {
		for _, entry := range list.Content {
			name, err := c.readDestination(entry, known, add)
			if err != nil {
				return nil, fmt.Errorf("reading the configuration %s: line %d: %w", path, entry.Line, err)
			}
			named = append(named, name)
		}
	}
	return named, nil
}

// readDestination reads one of the list of destinations: another one of a kind, under a name of its own.
func (c *forwardConfig) readDestination(entry *yaml.Node, known map[string]bool, add func(all.Destination, string)) (string, error) {
	var head struct{ Name, Type string }
	if err := entry.Decode(&head); err != nil || head.Name == "" || head.Type == "" {
		return "", errors.New("an entry of destinations needs a name and a type")
	}
	name := strings.ToLower(head.Name)
	d, ok := all.Find(strings.ToLower(head.Type))
	if !ok {
		var names []string
		for _, d := range all.Destinations() {
			names = append(names, d.Name)
		}
		return "", fmt.Errorf("there is no destination of type %q%s", head.Type, nearest(head.Type, names))
	}
	if known[name+".filter"] {
		return "", fmt.Errorf("the name %q is taken", head.Name)
	}
	add(d, name)
	for _, e := range entries(entry, 0) {
		if k := strings.ToLower(e.key); k != "name" && k != "type" {
			c.flatten(name+"."+k, e.value, known)
		}
	}
	return name, nil
}

// entry is a key of a map with its value.
type entry struct {
	key   string
	value *yaml.Node
}

// entries returns what a map has: first what it takes over from others (<<), which its own entries replace.
func entries(n *yaml.Node, depth int) (list []entry) {
	n = target(n)
	if n.Kind != yaml.MappingNode || depth > deepestKey { // an alias within what it stands for
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != "!!merge" {
			continue
		}
		from := []*yaml.Node{n.Content[i+1]}
		if others := target(from[0]); others.Kind == yaml.SequenceNode {
			from = slices.Clone(others.Content)
			slices.Reverse(from) // the first goes before the others
		}
		for _, f := range from {
			list = append(list, entries(f, depth+1)...)
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != "!!merge" {
			list = append(list, entry{n.Content[i].Value, n.Content[i+1]})
		}
	}
	return list
}

// target returns what an alias stands for, and any other node as it is.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// deepestKey is more dots than any key has.
const deepestKey = 20

// flatten enters the value of a key.
func (c *forwardConfig) flatten(key string, n *yaml.Node, known map[string]bool) {
	n = target(n)
	if strings.Count(key, ".") > deepestKey {
		c.values[key] = "" // an alias within what it stands for
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		if len(n.Content) == 0 {
			c.values[key] = "" // which says nothing, but its name may be wrong
		}
		for _, e := range entries(n, 0) {
			if !known[key] {
				e.key = strings.ToLower(e.key)
			}
			c.flatten(key+"."+e.key, e.value, known)
		}
	case yaml.SequenceNode:
		var items []string
		for _, e := range n.Content {
			items = append(items, target(e).Value)
		}
		c.values[key] = strings.Join(items, ",")
	default:
		if n.Tag != "!!null" {
			c.values[key] = n.Value
		}
	}
}

// readEnv reads A_B_C for the key a.b.c, and else the file that A_B_C_FILE names. Of a map it goes before the file for the names that
// it has; those that only the file has stay, as in Falcosidekick.
func (c *forwardConfig) readEnv(known map[string]bool, prefix string, getenv func(string) string) error {
	for key := range known {
		name := prefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
		value := getenv(name)
		if value == "" {
			path := getenv(name + "_FILE")
			if path == "" {
				continue
			}
			text, err := os.ReadFile(filepath.Clean(path))
			if err != nil {
				return fmt.Errorf("reading the file that %s_FILE names: %w", name, err)
			}
			value = strings.TrimRight(string(text), "\r\n")
		}
		c.values[key] = value
		for pair := range strings.SplitSeq(value, ",") {
			name, _, _ := strings.Cut(pair, ":")
			for k := range c.values {
				if !known[k] && strings.EqualFold(k, key+"."+strings.TrimSpace(name)) {
					delete(c.values, k)
				}
			}
		}
	}
	return nil
}

// unknownKeys returns a line for each key that has no meaning.
func unknownKeys(values setting.Values, known map[string]bool) (lines []string) {
	var names []string
	for k := range known {
		names = append(names, k)
	}
	slices.Sort(names)
next:
	for k := range values {
		for at := len(k); at > 0; at = strings.LastIndexByte(k[:at], '.') {
			if known[k[:at]] {
				continue next
			}
		}
		lines = append(lines, fmt.Sprintf("the configuration has the key %s, which is not known and without effect%s", k, nearest(k, names)))
	}
	slices.Sort(lines)
	return lines
}

// nearest says which name somebody may have had in mind who wrote the word; nothing when none is near.
func nearest(word string, names []string) string {
	if near := config.Nearest(word, names); near != "" {
		return "; the nearest known one is " + near
	}
	return ""
}
