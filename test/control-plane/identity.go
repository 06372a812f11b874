package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/csv"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// users are who may call, by the name of their context in the kubeconfig. The first is the current one.
var users = []struct{ context, name, groups string }{
	{"admin", "admin", "system:masters"},
	{"operator", "system:serviceaccount:fairlead:fairlead-operator", "system:serviceaccounts,system:serviceaccounts:fairlead"},
	{"other", "other", ""},
}

// identities is who the server is and who may call it.
type identities struct {
	url                                                  string
	caFile, certFile, keyFile, tokenFile, kubeconfigPath string
}

// openIdentities reads what an earlier start left in the data directory, or makes it: an authority of our own, a certificate of the server, tokens, and
// a kubeconfig with one context for each user.
func openIdentities(dataDir, address string) (*identities, error) {
	folder := filepath.Join(dataDir, "identity")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	known := &identities{
		url:    "https://" + address,
		caFile: filepath.Join(folder, "ca.crt"), certFile: filepath.Join(folder, "server.crt"), keyFile: filepath.Join(folder, "server.key"),
		tokenFile: filepath.Join(dataDir, "tokens.csv"), kubeconfigPath: filepath.Join(dataDir, "kubeconfig"),
	}
	if missing(known.caFile) || missing(known.certFile) || missing(known.keyFile) {
		if err := makeCertificates(known); err != nil {
			return nil, err
		}
	}
	if missing(known.tokenFile) {
		if err := makeTokens(known.tokenFile); err != nil {
			return nil, err
		}
	}
	return known, writeKubeconfig(known)
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func makeCertificates(known *identities) error {
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fairlead-control-plane"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	authorityDer, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return err
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kube-apiserver"}, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serverDer, err := x509.CreateCertificate(rand.Reader, server, authority, serverKey.Public(), authorityKey)
	if err != nil {
		return err
	}
	keyDer, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		return err
	}
	for path, block := range map[string]*pem.Block{
		known.caFile: {Type: "CERTIFICATE", Bytes: authorityDer}, known.certFile: {Type: "CERTIFICATE", Bytes: serverDer}, known.keyFile: {Type: "PRIVATE KEY", Bytes: keyDer},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// makeTokens writes kube-apiserver's format: token,user,uid,"groups" (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#static-token-file).
func makeTokens(path string) error {
	lines := &strings.Builder{}
	writer := csv.NewWriter(lines)
	for _, user := range users {
		token, err := randomToken()
		if err != nil {
			return err
		}
		if err := writer.Write([]string{token, user.name, user.context, user.groups}); err != nil {
			return err
		}
	}
	writer.Flush()
	return os.WriteFile(path, []byte(lines.String()), 0o600)
}

func randomToken() (string, error) {
	bytes := make([]byte, 32)
	_, err := rand.Read(bytes)
	return hex.EncodeToString(bytes), err
}

func writeKubeconfig(known *identities) error {
	text, err := os.ReadFile(known.tokenFile)
	if err != nil {
		return err
	}
	reader := csv.NewReader(strings.NewReader(string(text)))
	reader.FieldsPerRecord = -1
	rows, err := reader.ReadAll()
	if err != nil {
		return fmt.Errorf("%s: %w", known.tokenFile, err)
	}
	authority, err := os.ReadFile(known.caFile)
	if err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.CurrentContext = users[0].context
	config.Clusters["fairlead"] = &clientcmdapi.Cluster{Server: known.url, CertificateAuthorityData: authority}
	for _, row := range rows {
		if len(row) < 3 {
			return fmt.Errorf("%s: a line needs token, user and uid", known.tokenFile)
		}
		config.AuthInfos[row[2]] = &clientcmdapi.AuthInfo{Token: row[0]}
		config.Contexts[row[2]] = &clientcmdapi.Context{Cluster: "fairlead", AuthInfo: row[2], Namespace: "default"}
	}
	return clientcmd.WriteToFile(*config, known.kubeconfigPath)
}

// listen takes the port that is asked for; without one, the last one, so that kubeconfigs that somebody copied stay true.
func listen(dataDir string, port int) (net.Listener, error) {
	note := filepath.Join(dataDir, "port")
	candidates := []int{port}
	if port == 0 {
		if text, err := os.ReadFile(note); err == nil {
			if last, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
				candidates = []int{last, 0}
			}
		}
	}
	var failure error
	for _, candidate := range candidates {
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(candidate)))
		if err != nil {
			failure = err
			continue
		}
		return listener, os.WriteFile(note, []byte(strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)+"\n"), 0o600)
	}
	return nil, failure
}
