{{- /* Begins every name of a release. 47 characters leave room for the longest ending of a Service. */ -}}
{{- define "clinic-operator.name" -}}
{{- if contains "clinic-operator" .Release.Name -}}
{{- .Release.Name | trunc 47 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-clinic-operator" (.Release.Name | trunc 31 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- define "clinic-operator.selectorLabels" -}}
app.kubernetes.io/name: clinic-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "clinic-operator.labels" -}}
{{ include "clinic-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* Name, namespace and labels of an object of a part. Takes root, component, and suffix where the name has another ending. */ -}}
{{- define "clinic-operator.metadata" -}}
name: {{ include "clinic-operator.name" .root }}-{{ .suffix | default .component }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "clinic-operator.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- /* Which pods are a part's. Takes root and component. */ -}}
{{- define "clinic-operator.partLabels" -}}
{{ include "clinic-operator.selectorLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "clinic-operator.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "clinic-operator.portalUrl" -}}
{{- required "portalUrl is required: the base URL of the portal and of the links in mails, such as https://portal.maple.example" .Values.portalUrl -}}
{{- end -}}

{{- /* The host of portalUrl, without scheme and port, for what leads people to it. */ -}}
{{- define "clinic-operator.portalHost" -}}
{{- $host := include "clinic-operator.portalUrl" . | trimPrefix "https://" | trimPrefix "http://" | regexFind "^[^:]*" -}}
{{- if not (regexMatch "^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$" $host) -}}
{{- fail (printf "portalUrl: %q has no DNS name, which an Ingress or HTTPRoute needs" .Values.portalUrl) -}}
{{- end -}}
{{- $host -}}
{{- end -}}

{{- /* Without it no credential can be sealed. It is not made here: a key that a chart makes anew is a clinic that cannot sign in. */ -}}
{{- define "clinic-operator.keysVolume" -}}
{{- if .Values.portal.keysVolume -}}
{{- if .Values.portal.keysSecret }}{{ fail "portal.keysSecret and portal.keysVolume: set one of them" }}{{ end -}}
{{- toYaml .Values.portal.keysVolume -}}
{{- else -}}
secret:
  secretName: {{ include "clinic-operator.keysSecret" . }}
  # The group of the process only.
  defaultMode: 0440
{{- end -}}
{{- end -}}

{{- define "clinic-operator.keysSecret" -}}
{{- $make := printf "kubectl create secret generic portal-keys -n %s --from-literal=current=\"$(openssl rand -base64 32)\"" .Release.Namespace -}}
{{- required (printf "portal.keysSecret or portal.keysVolume is required: the Secret or volume with the key that credentials are sealed with. Make it once, keep a copy, and name it:\n\n  %s\n\n  --set portal.keysSecret=portal-keys\n" $make) .Values.portal.keysSecret -}}
{{- end -}}

{{- /* The controller's config file, as docs/configuration.md describes it. */ -}}
{{- define "clinic-operator.controllerConfig" -}}
portalUrl: {{ include "clinic-operator.portalUrl" . | quote }}
listen: 0.0.0.0:8080
log:
  level: {{ .Values.log.level }}
  format: {{ .Values.log.format }}
mail:
  host: {{ required "mail.host is required: the relay that takes the clinic's mail" .Values.mail.host | quote }}
  port: {{ .Values.mail.port }}
  {{- with .Values.mail.ehloName }}
  ehloName: {{ . | quote }}
  {{- end }}
  tls: {{ .Values.mail.tls | quote }}
  from: {{ required "mail.from is required: the sender of every mail" .Values.mail.from | quote }}
  {{- with .Values.mail.replyTo }}
  replyTo: {{ . | quote }}
  {{- end }}
  {{- if .Values.mail.caConfigMap }}
  caFile: /etc/clinic-operator/ca/ca.crt
  {{- end }}
  {{- if .Values.mail.credentialsSecret }}
  credentials: /etc/clinic-operator/smtp
  {{- end }}
  auth: {{ .Values.mail.auth }}
  mailsPerMinute: {{ int64 .Values.mail.mailsPerMinute }}
  connections: {{ int64 .Values.mail.connections }}
  timeoutSeconds: {{ .Values.mail.timeoutSeconds }}
{{- end -}}

{{- /* The portal's, as docs/portal.md does. */ -}}
{{- define "clinic-operator.portalConfig" -}}
portalUrl: {{ include "clinic-operator.portalUrl" . | quote }}
listen: 0.0.0.0:8443
listenProbes: 0.0.0.0:8080
keys: /etc/clinic-operator/keys
{{- if .Values.portal.keysSecondPartVolume }}
keysSecondPart: /etc/clinic-operator/keys-second-part
{{- end }}
sessionOutageSeconds: {{ .Values.portal.sessionOutageSeconds }}
peers: {{ include "clinic-operator.name" . }}-portal-metrics.{{ .Release.Namespace }}.svc:8080
{{- with .Values.portal.trustedProxies }}
trustedProxies:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.portal.tlsSecret }}
tls:
  certificate: /etc/clinic-operator/tls/tls.crt
  key: /etc/clinic-operator/tls/tls.key
{{- end }}
{{- with .Values.portal.branding }}
{{- if or .accent .logoConfigMap }}
branding:
  {{- with .accent }}
  accent: {{ . | quote }}
  {{- end }}
  {{- if .logoConfigMap }}
  logo: /etc/clinic-operator/logo/logo
  {{- end }}
{{- end }}
{{- end }}
log:
  level: {{ .Values.log.level }}
  format: {{ .Values.log.format }}
{{- end -}}
