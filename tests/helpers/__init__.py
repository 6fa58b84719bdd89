"""What tests share: pictures, plates, commands, servers, broken files."""
