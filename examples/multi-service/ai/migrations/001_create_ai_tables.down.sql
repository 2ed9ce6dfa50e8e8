DROP TABLE ai_usage_stats, ai_responses, ai_requests, ai_conversations;
