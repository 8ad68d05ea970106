"""The training loop: fine-tuning, further pre-training, schedules, averaging, distillation."""
