package payment_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"holdfast/payment"
)

// FuzzWebhook: a body is taken with its own signature and no other. A genuine signature is moved to another
// body, and any text at all is tried as a signature.
func FuzzWebhook(f *testing.F) {
	key := []byte("thirty-two bytes, none is secret")
	webhook, err := payment.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString(key))
	if err != nil {
		f.Fatal(err)
	}
	const event = `{"data":{"reference":"ord_a"}}`
	f.Add(event, event, "v1,")
	f.Add(event, `{"data":{"reference":"ord_b"}}`, "")
	f.Add(event, event+" ", "v1a,AAAA v1,AAAA")
	f.Add("", event, " ,v1,,")
	f.Fuzz(func(t *testing.T, body, other, forged string) {
		at := strconv.FormatInt(time.Now().Unix(), 10)
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte("evt_1." + at + "." + body))
		refused := func(signature, text string) bool {
			header := make(http.Header)
			header.Set("Webhook-Id", "evt_1")
			header.Set("Webhook-Timestamp", at)
			header.Set("Webhook-Signature", signature)
			_, err := webhook.Reference(header, []byte(text))
			return errors.Is(err, payment.ErrNotSigned)
		}
		genuine := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		if refused(genuine, body) {
			t.Errorf("the signature of %q is refused", body)
		}
		if other != body && !refused(genuine, other) {
			t.Errorf("%q is taken with the signature of %q", other, body)
		}
		if !refused(forged, body) {
			t.Errorf("%q is taken with the signature %q", body, forged)
		}
	})
}
