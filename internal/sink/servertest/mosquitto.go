package servertest

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Mosquitto is a broker of MQTT.
type Mosquitto struct {
	*Server

	plain, user, password string
	mu                    sync.Mutex
	got                   []string
	marks                 chan struct{}
	client                mqtt.Client
}

// StartMosquitto starts a broker with one user, with TLS when there are certificates.
func StartMosquitto(t testing.TB, user, password string, cert *Certificates, mutual bool) *Mosquitto {
	t.Helper()
	m := &Mosquitto{plain: Free(t), user: user, password: password, marks: make(chan struct{}, 1)}
	passwd := Find(t, "mosquitto", "mosquitto_passwd")
	dir := Dir(t, "mosquitto")
	secrets := Write(t, dir, "passwd", user+":"+password+"\n")
	Command(t, "", passwd, "-U", secrets)
	if err := os.Chmod(secrets, 0o644); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("persistence false\nallow_anonymous false\npassword_file %s\nlistener %s 127.0.0.1\n", secrets, Port(t, m.plain))
	addr := m.plain
	if cert != nil {
		addr = Free(t)
		config += fmt.Sprintf("listener %s 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate %v\n", Port(t, addr), cert.CA, cert.ServerCert, cert.ServerKey, mutual)
	}
	m.Server = Run(t, Program{
		Package: "mosquitto", Path: "mosquitto", Args: []string{"-c", Write(t, dir, "mosquitto.conf", config)}, User: "mosquitto", Addr: addr,
	})
	m.subscribe(t)
	t.Cleanup(func() { m.client.Disconnect(0) })
	return m
}

// Start starts the broker when it is stopped.
func (m *Mosquitto) Start(t testing.TB) {
	t.Helper()
	m.Server.Start(t)
	m.subscribe(t)
}

func (m *Mosquitto) subscribe(t testing.TB) {
	t.Helper()
	if m.client != nil {
		m.client.Disconnect(0)
	}
	m.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + m.plain).SetClientID("test").SetUsername(m.user).SetPassword(m.password).SetAutoReconnect(false))
	handle := func(_ mqtt.Client, message mqtt.Message) {
		if message.Topic() == "mark" {
			m.marks <- struct{}{}
			return
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.got = append(m.got, fmt.Sprintf("%s %s", message.Topic(), message.Payload()))
	}
	for _, step := range []func() mqtt.Token{m.client.Connect, func() mqtt.Token { return m.client.Subscribe("#", 2, handle) }} {
		if token := step(); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatalf("subscribing: %v", token.Error())
		}
	}
}

// Read returns what was published since the last call, each with its topic.
func (m *Mosquitto) Read(t testing.TB) []string {
	t.Helper()
	token := m.client.Publish("mark", 2, false, "")
	select {
	case <-m.marks:
	case <-time.After(patience):
		t.Fatalf("the broker does not bring back what was published: %v", token.Error())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.got
	m.got = nil
	return out
}
