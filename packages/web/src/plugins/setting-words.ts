/** Faults of settings in words; limits are those that the schema names. */
import { useSettingTexts } from "./setting-texts.ts";
import { createSettingsValidator, type FaultWords } from "./settings-validator.ts";

const t = useSettingTexts.now;

export const faultWords: FaultWords = ({ keyword, limit, text }) => {
  const count = typeof limit === "number" ? limit : 0;
  switch (keyword) {
    case "minLength":
    case "maxLength":
    case "minItems":
    case "maxItems":
      return t(`faults.${keyword}`, { count });
    case "minimum":
    case "maximum":
    case "exclusiveMinimum":
    case "exclusiveMaximum":
    case "multipleOf":
      return t(`faults.${keyword}`, { limit: count });
    case "type":
      return t("faults.type", { type: String(limit) });
    case "enum":
    case "const":
      return t("faults.choice");
    case "uniqueItems":
    case "required":
      return t(`faults.${keyword}`);
    case "additionalProperties":
    case "unevaluatedProperties":
      return t("faults.unknown");
    default:
      return text;
  }
};

export const settingsValidator = createSettingsValidator(faultWords);
