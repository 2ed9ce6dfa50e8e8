DROP TABLE message_reads, messages, room_members, chat_rooms;
