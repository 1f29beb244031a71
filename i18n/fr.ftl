# Pourquoi une mesure n'est pas bonne
reason-no-communication = pas de communication
reason-out-of-range = hors plage
reason-stale = périmée
reason-device-exception = exception de l'appareil
reason-not-a-number = pas un nombre
reason-bad-checksum = somme de contrôle fausse
reason-last-known = dernière valeur connue
reason-warming-up = mise en moyenne
reason-device-status = marquée par l'appareil
reason-quarantined = non interrogé : unité muette
reason-input-quality = une entrée n'est pas bonne
reason-wrong-length = réponse de longueur fausse
reason-clock-step = horloge réglée
reason-imported = importée ainsi
