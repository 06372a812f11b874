-- The health of a fairlead.dev ConnectionType or Enrollment for Argo CD. The status is kstatus-shaped: observedGeneration, and the conditions Ready, Reconciling and Stalled.
local health = { status = "Progressing", message = "Waiting for the operator of Fairlead" }
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation or obj.status.conditions == nil then
  return health
end
local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end
local function is(type, status)
  return conditions[type] ~= nil and conditions[type].status == status
end
if is("Stalled", "True") then
  health.status = "Degraded"
  health.message = conditions["Stalled"].message
elseif is("Reconciling", "True") then
  health.message = conditions["Reconciling"].message
elseif is("Ready", "True") then
  health.status = "Healthy"
  health.message = conditions["Ready"].message
elseif is("Ready", "False") then
  health.status = conditions["Ready"].reason == "AwaitingConsent" and "Suspended" or "Degraded"
  health.message = conditions["Ready"].message
end
return health
